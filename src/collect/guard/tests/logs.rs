use super::{asked, refused};

/// One byte, or the last lines with their times: nothing between, and nothing that never ends.
#[test]
fn of_a_log_a_byte_or_its_end_is_read() {
    let path = "/api/v1/namespaces/kube-system/pods/a/log";
    let tail = format!("{path}?container=c&tailLines=200&limitBytes=65536&timestamps=true");
    assert!(asked("GET", &tail).is_ok());
    assert!(asked("GET", &format!("{tail}&previous=true")).is_ok());
    for more in [
        "previous=false",
        "follow=true",
        "insecureSkipTLSVerifyBackend=true",
        "sinceTime=2026-11-23T09%3A00%3A00Z",
        "sinceSeconds=1",
        "stream=All",
        "timestamps=true",
        "limit=500",
    ] {
        refused(&format!("{tail}&{more}"));
    }
    for query in [
        "container=c&tailLines=200&limitBytes=65536",
        "container=c&tailLines=200&limitBytes=65536&timestamps=false",
        "container=c&tailLines=200&limitBytes=65537&timestamps=true",
        "container=c&tailLines=201&limitBytes=65536&timestamps=true",
        "container=c&tailLines=0200&limitBytes=65536&timestamps=true",
        "container=c&tailLines=200&limitBytes=1&timestamps=true",
        "container=c&tailLines=1&limitBytes=65536&timestamps=true",
        "container=c&tailLines=1&limitBytes=1&timestamps=true",
        "container=c&tailLines=200&timestamps=true",
        "container=c&limitBytes=65536&timestamps=true",
        "tailLines=200&limitBytes=65536&timestamps=true",
        "container=C&tailLines=200&limitBytes=65536&timestamps=true",
    ] {
        refused(&format!("{path}?{query}"));
    }
    refused(&tail.replace("kube-system", "default"));
    refused(&tail.replace("/a/log", "/a/exec"));
}
