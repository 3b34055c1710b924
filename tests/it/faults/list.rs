//! Which faults there are, and what each should come to.

use kairos_doctor_simulator::{Fault, Flaw, Pages};
use serde_json::json;

use super::cell::{Cell, Then, Who};
use Then::{Finds, Says, Whole};

/// Of every answer that has no end.
pub const FLOOD: &str = "does not end";

/// All cells, in the order of the table.
pub fn cells() -> Vec<Cell> {
    let mut all = Vec::new();
    for who in [Who::Kubernetes, Who::KubernetesLists, Who::Pods, Who::Hetzner, Who::Servers] {
        if matches!(who, Who::Kubernetes | Who::Hetzner) {
            all.extend(connections(who));
        }
        all.extend(answers(who));
        if who != Who::Kubernetes {
            all.extend(pages(who));
        }
    }
    for who in [Who::Kubelets, Who::OneKubelet] {
        all.extend(kubelets(who));
    }
    all
}

fn is_kubernetes(who: Who) -> bool {
    matches!(who, Who::Kubernetes | Who::KubernetesLists | Who::Pods)
}

/// An API server that does not answer at all is a finding, everything else is a gap.
fn told(who: Who, words: &'static str) -> Then {
    if who == Who::Kubernetes { Finds(words) } else { Says(words) }
}

/// What happens before anything is asked.
fn connections(who: Who) -> Vec<Cell> {
    let one = |how, fault, words| Cell { who, how, fault, times: None, then: told(who, words) };
    vec![
        one("refuses connections", Fault::Refuse, "refused"),
        one("stuck in the TLS handshake", Fault::Silent, "does not finish the TLS handshake"),
        one("not TLS at all", Fault::NotTls, "does not speak TLS"),
        one("certificate expired", Fault::Certificate(Flaw::Expired), "its certificate expired 3 d ago"),
        one(
            "certificate self-signed",
            Fault::Certificate(Flaw::SelfSigned),
            "is signed by itself, or by an authority",
        ),
        one("certificate of another host", Fault::Certificate(Flaw::OtherHost), "is for elsewhere.example"),
    ]
}

/// What comes instead of an answer.
fn answers(who: Who) -> Vec<Cell> {
    let one = |how, fault, words| Cell { who, how, fault, times: None, then: told(who, words) };
    let pause = |how, value, words| one(how, refusal(who, 429, Some(value)), words);
    let status = |how, code, words| one(how, refusal(who, code, None), words);
    let mut all = vec![
        one("reset before an answer", Fault::Reset, "cut"),
        one("hangs up before an answer", Fault::HangUp, "cut"),
        one("reset in the body", Fault::ResetBody, "in the middle of the answer"),
        one("cut in the body", Fault::Truncate, "in the middle of the answer"),
        one("stalls before an answer", Fault::Stall, "gave no answer within"),
        one("stalls in the body", Fault::StallBody, "stopped in the middle of its answer"),
        one("a byte at a time", Fault::Drip, "too slowly"),
        status("401", 401, if is_kubernetes(who) { "401" } else { "refuses the token" }),
        // it knows who asks, and says no: that is an answer
        Cell { then: Says("403"), ..status("403", 403, "") },
        status("404", 404, "404"),
        status("409", 409, "409"),
        status("410", 410, "410"),
        status("429", 429, "429"),
        pause("429, Retry-After: 86400", "86400", "asks for a pause of 24 h"),
        pause("429, Retry-After: 99999999999999999999", "99999999999999999999", "429"),
        pause("429, Retry-After: -5", "-5", "429"),
        pause("429, Retry-After: a date of 2095", "Fri, 21 Oct 2095 07:28:00 GMT", "asks for a pause of"),
        pause("429, Retry-After: soon", "soon", "429"),
        status("500", 500, "500"),
        status("502", 502, "502"),
        one("502 in HTML", Fault::Html502, "502 Bad Gateway"),
        status("503", 503, "503"),
        status("504", 504, "504"),
        one("HTML with 200", html(), "HTML (\"Sign in\") and not JSON"),
        one("JSON of another kind", Fault::json(200, "{}"), ""),
        one("the first half, as if that were all", Fault::HalfJson, "ends in the middle"),
        one("JSON that does not end", Fault::Endless, FLOOD),
        one("a gzip bomb", Fault::GzipBomb, FLOOD),
        one("JSON nested 100,000 deep", Fault::Nested, ""),
    ];
    match who {
        Who::Pods => all.extend([
            one("broken protobuf", protobuf(BROKEN), "broken protobuf"),
            one("protobuf of another kind", protobuf(STATUS), "protobuf that is no list"),
            one("protobuf longer than what comes", protobuf(LONGER), "protobuf that ends in the middle"),
        ]),
        _ => all.push(one("protobuf", protobuf(BROKEN), "binary data and not JSON")),
    }
    all.push(Cell { then: Whole, ..one("JSON called text/html", Fault::Typed("text/html"), "") });
    all
}

/// Pages that are not what they should be.
fn pages(who: Who) -> Vec<Cell> {
    let one = |how, pages, kubernetes, hetzner| {
        let words = if is_kubernetes(who) { kubernetes } else { hetzner };
        Cell { who, how, fault: Fault::Pages(pages), times: None, then: Says(words) }
    };
    let twice = "shows the same objects on several pages";
    let mut all = vec![
        one("the second page is gone (410)", Pages::Expired, "changes faster than it can be read", "410"),
        one("the next page is the same one", Pages::Repeated, twice, "names page 1 as the next one"),
        one("pages without end", Pages::Endless, twice, "on page 1 and on page 2"),
        one("empty pages without end", Pages::Empty, "gives empty pages", "is empty and names page 3"),
        one("each page is the first one", Pages::Duplicate, twice, "on page 1 and on page 2"),
        one("the last page fails", Pages::LastFails, "500", "500"),
    ];
    if !is_kubernetes(who) {
        all.push(one("objects move between the pages", Pages::Moving, "", "changed while it was being read"));
    }
    if who == Who::Servers {
        // both requests for its pages, and then no more
        all.push(Cell {
            times: Some(2),
            then: Whole,
            ..one("an object moves between the pages once", Pages::Moving, "", "")
        });
    }
    if who == Who::Pods {
        all.push(Cell {
            times: Some(2),
            then: Whole,
            ..one("the second page is gone once", Pages::Expired, "", "")
        });
    }
    all
}

fn kubelets(who: Who) -> Vec<Cell> {
    let one = |how, fault, then| Cell { who, how, fault, times: None, then };
    vec![
        one("refuses connections", Fault::Refuse, Says("refuses the connection")),
        one("stuck in the TLS handshake", Fault::Silent, Says("did not finish the handshake")),
        one("not TLS at all", Fault::NotTls, Says("does not speak TLS")),
        one("reset", Fault::Reset, Says("resets the connection")),
        one("cut in the handshake", Fault::Truncate, Says("closed the connection during the handshake")),
        one(
            "certificate self-signed",
            Fault::Certificate(Flaw::SelfSigned),
            Says("signed by another authority"),
        ),
        one("certificate expired", Fault::Certificate(Flaw::Expired), Finds("expired 3 d ago")),
        one("certificate of another host", Fault::Certificate(Flaw::OtherHost), Finds("does not cover")),
        // the doctor saw what it wanted; the API server gets no log from there, and the controller is on one of them
        one(
            "hangs up after the handshake",
            Fault::HangUp,
            if who == Who::Kubelets { Says("EOF") } else { Whole },
        ),
    ]
}

/// A refusal in the words of that API, or of what stands in front of it.
fn refusal(who: Who, code: u16, retry_after: Option<&str>) -> Fault {
    let body = if is_kubernetes(who) {
        let (reason, message) = match code {
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden: User \"system:anonymous\" cannot get path"),
            404 => ("NotFound", "the server could not find the requested resource"),
            409 => (
                "Conflict",
                "the object has been modified; please apply your changes to the latest version and try again",
            ),
            410 => ("Expired", "The resourceVersion for the provided list is too old."),
            429 => ("TooManyRequests", "too many requests, please try again later"),
            500 => ("InternalError", "Internal error occurred: etcdserver: request timed out"),
            502 => ("", "bad gateway"),
            503 => ("ServiceUnavailable", "apiserver not ready"),
            _ => ("Timeout", "request did not complete within the allotted timeout"),
        };
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "message": message,
            "code": code})
    } else {
        let (kind, message) = match code {
            401 => ("unauthorized", "unable to authenticate"),
            403 => ("forbidden", "insufficient permissions for this request"),
            404 => ("not_found", "Not Found"),
            409 => ("conflict", "the resource has changed during the request"),
            410 => ("deprecated_api_endpoint", "this endpoint is gone"),
            429 => ("rate_limit_exceeded", "limit of 3600 requests per hour reached"),
            500 => ("server_error", "an internal error occurred"),
            503 => ("unavailable", "the service is currently not available"),
            504 => ("timeout", "the request could not be answered in time"),
            _ => ("service_error", "error within a service"),
        };
        json!({"error": {"code": kind, "message": message, "details": null}})
    };
    let headers = retry_after.map(|value| ("Retry-After".to_string(), value.to_string()));
    Fault::Status {
        code,
        content_type: "application/json".into(),
        headers: headers.into_iter().collect(),
        body: body.to_string(),
    }
}

/// A login page in between.
fn html() -> Fault {
    Fault::Status {
        code: 200,
        content_type: "text/html; charset=utf-8".into(),
        headers: Vec::new(),
        body: "<!doctype html>\n<html><head><title>Sign in</title></head><body><form></form></body></html>\n"
            .into(),
    }
}

/// Says that its kind is shorter than it is.
const BROKEN: &str = "k8s\0\n\u{c}\n\u{2}v1\u{12}\u{6}NodeList";
const STATUS: &str = "k8s\0\n\u{c}\n\u{2}v1\u{12}\u{6}Status\u{12}\u{4}\u{1a}\u{2}no";
const LONGER: &str = "k8s\0\n\u{d}\n\u{2}v1\u{12}\u{7}PodList\u{12}\u{7f}";

fn protobuf(body: &str) -> Fault {
    Fault::Status {
        code: 200,
        content_type: "application/vnd.kubernetes.protobuf".into(),
        headers: Vec::new(),
        body: body.into(),
    }
}
