//! The Hetzner Cloud API of a bundle: the lists that the needs read, in pages.

mod fields;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::http::{Answer, Ask, Site};
use crate::kept::Kept;
use crate::options::Source;
use crate::shuffle::Numbers;
use crate::world::World;
pub(crate) use fields::complete;

/// Requests an hour, as the real API allows them.
const RATE_LIMIT: u32 = 3600;
const LONGEST_PAGE: usize = 50;
const DEFAULT_PAGE: usize = 25;

pub(crate) struct Hetzner {
    pub world: Arc<World>,
    pub token: String,
    pub remaining: AtomicU32,
    /// Paths of lists that the token may not read.
    pub withheld: Vec<&'static str>,
    pub kept: Kept,
}

impl Site for Hetzner {
    const SOURCE: Source = Source::Hetzner;

    async fn answer(&self, ask: &Ask) -> Answer {
        if ask.bearer() != Some(&self.token) {
            return refusal(401, "unauthorized", "unable to authenticate");
        }
        let spend = |left: u32| Some(left.saturating_sub(1));
        let left = self.remaining.fetch_update(Relaxed, Relaxed, spend).unwrap_or_default();
        let answer = match left {
            0 => refusal(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached"),
            _ => self.list(ask),
        };
        // the budget grows by one each second, until it is full again
        let left = left.saturating_sub(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        answer
            .with("RateLimit-Limit", RATE_LIMIT)
            .with("RateLimit-Remaining", left)
            .with("RateLimit-Reset", now + u64::from(RATE_LIMIT.saturating_sub(left)))
    }
}

impl Hetzner {
    fn list(&self, ask: &Ask) -> Answer {
        let path = ask.path.strip_prefix("/v1/").unwrap_or_default();
        let Some((path, items)) = self.world.collections.get_key_value(path) else {
            return refusal(404, "not_found", "Not Found");
        };
        if ask.method != "GET" {
            return refusal(403, "token_readonly", "token is only allowed to perform GET requests");
        }
        if self.withheld.contains(path) {
            return refusal(403, "forbidden", "insufficient permissions for this request");
        }
        self.kept.or_make(ask, || self.page(path, items, ask))
    }

    fn page(&self, path: &str, items: &[Value], ask: &Ask) -> Answer {
        let number = |name: &str, default: usize| match ask.parameter(name) {
            Some(text) => text.parse::<usize>().ok().filter(|n| *n > 0).ok_or_else(|| invalid(name)),
            None => Ok(default),
        };
        let (page, size) = match (number("page", 1), number("per_page", DEFAULT_PAGE)) {
            (Ok(page), Ok(size)) => (page, size.min(LONGEST_PAGE)),
            (Err(refusal), _) | (_, Err(refusal)) => return refusal,
        };
        let total = items.len();
        let size = match self.world.seed {
            // one size for all pages of a list, or items would be lost between them
            Some(seed) => size.min(1 + Numbers::new(seed, path).below(total.max(1))),
            None => size,
        };
        let last = total.div_ceil(size).max(1);
        let start = (page - 1).saturating_mul(size).min(total);
        let mut body = Map::new();
        body.insert(path.into(), items[start..total.min(start + size)].into());
        let pagination = json!({
            "page": page,
            "per_page": size,
            "previous_page": (page > 1).then(|| page - 1),
            "next_page": (page < last).then(|| page + 1),
            "last_page": last,
            "total_entries": total,
        });
        body.insert("meta".into(), json!({"pagination": pagination}));
        Answer::json(200, &Value::Object(body))
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"error": {"code": code, "message": message, "details": null}}))
}

fn invalid(field: &str) -> Answer {
    let details = json!({"fields": [{"name": field, "messages": ["must be a positive number"]}]});
    let message = format!("invalid input in field '{field}'");
    Answer::json(400, &json!({"error": {"code": "invalid_input", "message": message, "details": details}}))
}
