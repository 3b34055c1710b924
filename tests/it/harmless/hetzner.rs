//! Whatever the Hetzner API answers, it is asked for pages of the listed lists, with the token, and nobody else gets it.

use std::sync::Arc;
use std::time::Duration;

use kairos_doctor::collect::budget::{Deadline, Meter};
use kairos_doctor::collect::hcloud_config::Access;
use kairos_doctor::collect::hetzner::Hetzner;
use kairos_doctor_checks::facts::{NEEDS, Origin};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::listed::is_listed;
use super::peer::{Peer, answer, headers, line};

const TOKEN: &str = "sesame-sesame-sesame";
const RUNS: usize = 48;

/// What is said of the next page, and with which status and headers.
fn scripts() -> impl Strategy<Value = Vec<(u16, &'static str, Value)>> {
    let status = prop_oneof![
        8 => Just(200u16),
        1 => prop::sample::select(vec![201, 204, 301, 302, 303, 307, 308, 401, 403, 404, 409, 410, 422, 500]),
    ];
    let header = prop::sample::select(vec![
        "",
        "",
        "location: http://trap/v1/servers\r\n",
        "link: <http://trap/?page=2>; rel=next\r\n",
        "set-cookie: id=1; Path=/\r\n",
        "refresh: 0; url=http://trap/\r\n",
        "alt-svc: h2=\"trap\"\r\n",
        "ratelimit-remaining: 0\r\n",
        "ratelimit-remaining: 3000\r\nratelimit-limit: 3600\r\n",
        "www-authenticate: Basic realm=x\r\n",
        "content-encoding: identity\r\n",
    ]);
    let next = prop_oneof![
        6 => (2..9u64).prop_map(|n| json!(n)),
        2 => Just(Value::Null),
        1 => prop::sample::select(vec![
            json!("2"), json!("http://trap/v1/servers?page=2"), json!("2&per_page=50&sort=id"), json!(-1), json!(0),
            json!(1e9), json!(4_294_967_296_u64), json!(["2"]), json!({"page": 2}), json!("../actions"), json!(true),
        ]),
    ];
    prop::collection::vec((status, header, next), 31)
}

#[test]
fn whatever_the_api_answers_it_is_asked_for_pages_of_the_listed_lists() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::deterministic();
    let strategy = scripts();
    let needs = || NEEDS.iter().filter(|need| matches!(need.from, Origin::Hetzner(_)));
    let (mut asked, mut further) = (0, 0);
    for _ in 0..RUNS {
        let script = strategy.new_tree(&mut runner).unwrap().current();
        let trap = Arc::new(Peer::trap());
        let trapped = trap.address.to_string();
        let server = Peer::answering(move |number, head| {
            let list =
                line(head).1.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
            let (status, header, next) = &script[number % script.len()];
            let body = json!({list: [{"id": number, "name": number.to_string(), "next": "http://trap/"}],
                "meta": {"pagination": {"next_page": next, "last_page": 3}}, "links": {"next": "http://trap/"}});
            let body = body.to_string().replace("trap", &trapped);
            answer(&format!("{status} X"), &header.replace("trap", &trapped), &body)
        });
        let token = SecretString::from(TOKEN);
        let endpoint = format!("{}/v1", server.url());
        let deadline = Deadline::after(Duration::from_secs(20));
        let access = Access { token, endpoint, context: None, notes: vec![] };
        let api = Hetzner::new(&access, deadline).expect("a client");
        let meter = Meter::default();
        runtime.block_on(async {
            for need in needs() {
                let _ = api.list(need, Deadline::after(Duration::from_secs(20)), &meter).await;
            }
        });
        for head in server.heads() {
            let (method, target) = line(&head);
            assert!(is_listed(method, target), "{method} {target}");
            further += usize::from(!target.contains("page=1&"));
            let mut tokens = 0;
            for (name, value) in headers(&head) {
                let known = ["host", "accept", "accept-encoding", "authorization", "user-agent"];
                assert!(known.contains(&name.as_str()), "{head}");
                tokens += usize::from(value.contains(TOKEN));
                assert!(name != "host" || value == server.address.to_string(), "{head}");
            }
            assert_eq!(tokens, 1, "{head}");
            asked += 1;
        }
        assert_eq!(meter.log().len(), server.heads().len(), "what is sent is noted");
        assert_eq!((trap.connections(), trap.bytes()), (0, 0), "nobody else is asked");
    }
    assert!(
        asked > RUNS * needs().count() && further > RUNS,
        "{asked} requests, {further} for a further page"
    );
}
