//! Lists whose pages are not what they should be.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hyper::header::{ACCEPT, HeaderValue};
use serde_json::{Value, json};

use crate::fault::Pages;
use crate::http::{Answer, Ask, Site};
use crate::kubernetes::{expired, protobuf, written};
use crate::options::Source;

/// How many tokens were made up.
#[derive(Default)]
pub(crate) struct Turns(AtomicUsize);

/// Answers one request for a page of a list.
pub(crate) async fn answer<S: Site>(pages: Pages, ask: &mut Ask, site: &S, turns: &Turns) -> Answer {
    match S::SOURCE {
        Source::Hetzner => hetzner(pages, ask, site).await,
        _ => {
            // what is wrong with the pages is written in JSON
            let is_accepted = protobuf::is_accepted(ask);
            ask.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            protobuf::negotiated(kubernetes(pages, ask, site, turns).await, is_accepted)
        }
    }
}

async fn kubernetes<S: Site>(pages: Pages, ask: &mut Ask, site: &S, turns: &Turns) -> Answer {
    let later = ask.parameter("continue").is_some();
    if ask.parameter("limit").is_none() {
        // no list
        return site.answer(ask).await;
    }
    ask.set_parameter("limit", Some("1"));
    match pages {
        Pages::Expired if later => return expired(),
        Pages::LastFails if later => return Answer::new(500, "text/plain", "the rest is out of reach"),
        Pages::Expired | Pages::LastFails => return site.answer(ask).await,
        Pages::Duplicate | Pages::Moving if later => {
            let this = read(&site.answer(ask).await);
            ask.set_parameter("continue", None);
            let of_first = site.answer(ask).await;
            let mut first = read(&of_first);
            first["metadata"] = this["metadata"].clone();
            return written_as(&of_first, &first);
        }
        Pages::Duplicate | Pages::Moving => return site.answer(ask).await,
        Pages::Repeated | Pages::Endless | Pages::Empty => ask.set_parameter("continue", None),
    }
    let answer = site.answer(ask).await;
    let mut page = read(&answer);
    // a list that has one page keeps it
    if answer.status != 200 || page["metadata"]["continue"].as_str().is_none_or(str::is_empty) {
        return answer;
    }
    page["metadata"]["continue"] = match pages {
        Pages::Repeated => "again".into(),
        _ => format!("token-{}", turns.0.fetch_add(1, Relaxed)).into(),
    };
    if pages == Pages::Empty {
        page["items"] = json!([]);
    }
    written_as(&answer, &page)
}

/// With the fields in the order of that answer.
fn written_as(answer: &Answer, page: &Value) -> Answer {
    Answer::new(200, "application/json", written(page, !answer.body.starts_with(b"{\"kind\"")))
}

async fn hetzner<S: Site>(pages: Pages, ask: &mut Ask, site: &S) -> Answer {
    let number: usize = ask.parameter("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let key = ask.path.trim_start_matches("/v1/").to_string();
    let mut whole = async |page: usize, size: usize| {
        ask.set_parameter("page", Some(&page.to_string()));
        ask.set_parameter("per_page", Some(&size.to_string()));
        site.answer(ask).await
    };
    let answer = whole(1, 50).await;
    let mut all = read(&answer);
    let Some(items) = all[&key].as_array().cloned().filter(|items| items.len() > 1) else { return answer };
    let total = items.len();
    // two pages, of which the first one is the longer
    let size = total.div_ceil(2);
    let mut order: Vec<Value> = items;
    if pages == Pages::Moving && number > 1 {
        order.rotate_right(1);
    }
    let last = total.div_ceil(size);
    let of = |page: usize| order[((page - 1) * size).min(total)..(page * size).min(total)].to_vec();
    let (shown, next) = match pages {
        Pages::LastFails if number > 1 => {
            let error = json!({"error": {"code": "service_error", "message": "the rest is out of reach"}});
            return Answer::json(500, &error);
        }
        Pages::Endless => (of(1), Some(number + 1)),
        Pages::Empty if number > 1 => (Vec::new(), Some(number + 1)),
        Pages::Repeated => (of(1), Some(1)),
        Pages::Duplicate => (of(1), (number < last).then_some(number + 1)),
        Pages::Expired if number > 1 => {
            let error = json!({"error": {"code": "gone", "message": "this page is gone"}});
            return Answer::json(410, &error);
        }
        _ => (of(number), (number < last).then_some(number + 1)),
    };
    all[&key] = shown.into();
    all["meta"]["pagination"]["page"] = number.into();
    all["meta"]["pagination"]["per_page"] = size.into();
    all["meta"]["pagination"]["next_page"] = json!(next);
    all["meta"]["pagination"]["last_page"] = last.into();
    Answer::json(200, &all)
}

fn read(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}
