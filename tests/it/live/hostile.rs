//! Hostile answers over real connections: what the program writes, on either side, is text.

use std::io::{Read, Write};
use std::net::TcpListener;

use kairos_doctor::fixture::Fixture;
use kairos_doctor_simulator::{Fault, Options, Simulator, Target};
use serde_json::{Value, json};

use super::{Cluster, Run, bare, run};
use crate::hostile::github::only_our_elements;
use crate::hostile::renderers::only_text;

const HOSTILE: &str = "evil \u{1b}[2J\u{1b}]8;;https://e.example\u{7}\u{9b}31m\u{202e}\u{2066}\u{200b}\u{0}\r\nkairos-doctor: \
    nothing found\u{2028}<img src=x> @octocat #1 `[a](b)` www.e.example \u{430}\u{440}\u{440}\u{4cf}\u{435}.com";

/// Text on both sides; in Markdown, none that GitHub acts on.
fn is_calm(run: &Run, args: &[&str], what: &str) {
    assert!(!run.err.contains("panicked") && !run.err.contains("a bug"), "{what}: {}", run.err);
    only_text(&run.err).unwrap_or_else(|e| panic!("{what} {args:?}: standard error has {e}"));
    only_text(&run.out).unwrap_or_else(|e| panic!("{what} {args:?}: standard output has {e}"));
    if args.contains(&"markdown") {
        only_our_elements(&run.out).unwrap_or_else(|e| panic!("{what}: {e}\n{}", run.out));
    }
    assert!(!run.err.lines().any(|line| line.starts_with("kairos-doctor: nothing")), "{what}: {}", run.err);
}

const WAYS: &[&[&str]] = &[
    &["-v"],
    &["-o", "json"],
    &["-o", "markdown", "--no-redact"],
    &["collect", "--no-redact", "-o", "-", "-v"],
];

#[test]
fn what_servers_say_is_shown_as_text() {
    let mut bundle = Fixture::named("incidents/field-report").unwrap().bundle();
    said(&mut bundle["parts"]);
    let status = |code: u16| {
        let status = json!({"kind": "Status", "status": "Failure", "message": HOSTILE, "reason": HOSTILE, "code": code});
        Fault::json(code, status.to_string())
    };
    let error = json!({"error": {"code": "invalid_input", "message": HOSTILE}}).to_string();
    let page = |code: u16| Fault::Status {
        code,
        content_type: "text/html".into(),
        headers: vec![("Retry-After".into(), "1".into())],
        body: format!("<html>{HOSTILE}</html>"),
    };
    let options = Options::default()
        .failing(Target::kubernetes("/api/v1/events"), status(500))
        .failing(Target::kubernetes("/apis/apps/v1/daemonsets"), status(403))
        .failing(Target::kubernetes("/apis/batch/v1/jobs"), page(200))
        .failing(Target::kubernetes("/apis/storage.k8s.io/v1/csinodes"), page(418))
        .failing(Target::hetzner("/v1/certificates"), Fault::json(422, error))
        .failing(Target::hetzner("/v1/zones"), page(500))
        .failing(Target::hetzner("/v1/firewalls"), page(200));
    let cluster = Cluster { simulator: Simulator::start(&bundle, options) };
    for args in WAYS {
        let run = cluster.doctor(args);
        is_calm(&run, args, "servers");
        // It was told all the same.
        assert!(run.out.contains("evil"), "{args:?}: {}", run.out);
        assert!(run.out.contains("xn--80ak6aa92e.com"), "{args:?}: {}", run.out);
    }
}

/// Hostile words wherever a server's own words stand.
fn said(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(said),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| match field {
            Value::String(text) if matches!(name.as_str(), "message" | "note" | "description") => {
                *text = format!("{text} {HOSTILE}");
            }
            field => said(field),
        }),
        _ => {}
    }
}

#[test]
fn bytes_that_are_no_text_are_shown_as_text() {
    let escape = b"\xff\xfe\x1b[31m\xc2\x9b2J\x00\xed\xa0\x80\xf0\x9f evil";
    let body = |head: &[u8], body: &[u8]| {
        let length = format!("\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        [head, length.as_bytes(), body].concat()
    };
    let json = [
        &b"{\"kind\": \"Status\", \"error\": {\"code\": \"x\", \"message\": \""[..],
        escape,
        b"\"}, \"message\": \"",
        escape,
        b"\"}",
    ]
    .concat();
    for (what, answer) in [
        ("a reason", body(b"HTTP/1.1 500 \xff\xfe \x80evil", escape)),
        ("a reason with an escape", body(b"HTTP/1.1 500 \x1b[31mevil", escape)),
        ("a body", body(b"HTTP/1.1 500 Oops\r\ncontent-type: text/html", escape)),
        ("a body for JSON", body(b"HTTP/1.1 200 OK", escape)),
        ("JSON", body(b"HTTP/1.1 400 Bad", &json)),
        ("a header", body(b"HTTP/1.1 401 No\r\nwww-authenticate: \xff\x1b[2J", escape)),
        ("no HTTP", escape.to_vec()),
    ] {
        let port = answering(answer);
        let folder = tempfile::TempDir::new().unwrap();
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": HOSTILE,
            "contexts": [{"name": HOSTILE, "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "users": [{"name": "u", "user": {"token": "none"}}]});
        let path = folder.path().join("kubeconfig");
        std::fs::write(&path, config.to_string()).unwrap();
        for args in WAYS.iter().skip(1) {
            let mut command = bare(args);
            command.env("KUBECONFIG", &path).env("HCLOUD_TOKEN", "a".repeat(64));
            command.env("HCLOUD_ENDPOINT", format!("http://127.0.0.1:{port}/v1"));
            is_calm(&run(command), args, what);
        }
    }
}

/// A server that says the same to everybody.
fn answering(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                let _ = stream.write_all(&answer);
            });
        }
    });
    port
}

#[test]
fn names_that_are_given_are_shown_as_text() {
    let name = "\u{1b}[31m\u{202e}evil\u{9b}2J";
    for args in [
        vec!["--from", name],
        vec!["--kubeconfig", name],
        vec!["explain", name],
        vec!["demo", name],
        vec!["--only", name, "--from", "x"],
        vec!["-o", "json", "--output-file", name, "--from", "x"],
    ] {
        let run = run(bare(&args));
        assert_eq!(run.exit, 2, "{args:?}: {}", run.err);
        is_calm(&run, &args, "arguments");
    }
}
