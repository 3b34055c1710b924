//! Lists that were answered before: nothing that is served changes, so a page is encoded and compressed once. Without
//! that, a benchmark against large clusters would measure the simulator.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::http::{Answer, Ask};

/// Far more pages than any cluster here has; a client that makes up queries must not fill the memory.
const MOST: usize = 4096;

#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<String, Answer>>);

impl Kept {
    /// The answer to that path and query in that form, made when it is asked for the first time. It may depend on nothing else.
    pub fn or_make(&self, ask: &Ask, make: impl FnOnce() -> Answer) -> Answer {
        let form = ask.header("accept").unwrap_or_default();
        let key = format!("{}?{} {form}", ask.path, ask.query);
        if let Some(answer) = self.kept().get(&key) {
            return answer.clone();
        }
        let answer = make().packed_once();
        let mut kept = self.kept();
        if answer.status == 200 && kept.len() < MOST {
            kept.insert(key, answer.clone());
        }
        answer
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Answer>> {
        self.0.lock().expect("no one panics while keeping")
    }
}
