//! Pages, and what goes wrong with them.

use tokio::sync::Notify;

use super::*;

async fn read(server: &Loopback, need: &'static Need) -> Known<Part> {
    client(server).await.list(need).await
}

/// The gap of a list that is answered like this.
async fn gap_of(need: &'static Need, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Gap {
    let server = serve(answer).await;
    let gap = read(&server, need).await.expect_err("it is a gap");
    assert!(!gap.detail.contains("not-to-be-seen"), "{}", gap.detail);
    gap
}

const DISCOVERED: &str = r#"{"kind":"APIGroupDiscoveryList","items":[
    {"metadata":{"name":"gateway.networking.k8s.io"},"versions":[{"version":"v1beta1","freshness":"Current",
     "resources":[{"resource":"gateways"}]}]}]}"#;

#[tokio::test]
async fn pages_are_put_together_and_sorted() {
    let server = serve(|target| match target {
        "/api/v1/pods?limit=500" => list(&["c", "b"], "token/+="),
        "/api/v1/pods?limit=500&continue=token%2F%2B%3D" => list(&[], "second"),
        "/api/v1/pods?limit=500&continue=second" => list(&["a"], ""),
        _ => reply(404, ""),
    })
    .await;
    assert_eq!(names::<Pod>(&read(&server, &Pod::NEED).await.unwrap()), ["a", "b", "c"]);
    assert!(server.heads().iter().all(|head| head.contains("authorization: Bearer not-to-be-seen")));
}

/// The answer cut in two behind `items`, where the token is known.
fn in_two(names: &[&str], next: &str) -> (Vec<u8>, Vec<u8>) {
    let items: Vec<_> = names.iter().map(|name| serde_json::json!({"metadata": {"name": name}})).collect();
    let items = serde_json::json!(items).to_string();
    let body = format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"continue":"{next}"}},"items":{items}}}"#
    );
    let Reply::Bytes(mut head) = reply(200, &body) else { unreachable!("it is whole") };
    let rest = head.split_off(head.len() - items.len() - 1);
    (head, rest)
}

#[tokio::test]
async fn the_next_page_is_asked_for_while_one_comes_in() {
    let asked = Arc::new(Notify::new());
    let server = serve(move |target| match target {
        "/api/v1/pods?limit=500" => {
            let (first, rest) = in_two(&["a"], "next");
            Reply::InTwo(first, Arc::clone(&asked), rest)
        }
        "/api/v1/pods?limit=500&continue=next" => {
            asked.notify_one();
            list(&["b"], "")
        }
        _ => reply(404, ""),
    })
    .await;
    assert_eq!(names::<Pod>(&read(&server, &Pod::NEED).await.unwrap()), ["a", "b"]);
    assert_eq!(server.targets().len(), 3, "each page once: {:?}", server.targets());
}

#[tokio::test]
async fn a_page_of_which_only_the_beginning_came_leads_nowhere() {
    let times = AtomicUsize::new(0);
    let server = serve(move |target| match target {
        "/api/v1/pods?limit=500" if times.fetch_add(1, Relaxed) == 0 => Reply::Torn(in_two(&["x"], "old").0),
        "/api/v1/pods?limit=500" => list(&["a"], "new"),
        "/api/v1/pods?limit=500&continue=old" => list(&["of-another-list"], ""),
        "/api/v1/pods?limit=500&continue=new" => list(&["b"], ""),
        _ => reply(404, ""),
    })
    .await;
    assert_eq!(names::<Pod>(&read(&server, &Pod::NEED).await.unwrap()), ["a", "b"]);
}

#[tokio::test]
async fn a_page_that_is_too_large_is_read_in_smaller_ones_from_where_it_began() {
    let server = serve(|target| match target {
        "/api/v1/pods?limit=500" => list(&["a"], "one"),
        "/api/v1/pods?limit=500&continue=one" => Reply::Endless,
        "/api/v1/pods?limit=100&continue=one" => list(&["b"], "two"),
        "/api/v1/pods?limit=100&continue=two" => list(&["c"], ""),
        _ => reply(404, ""),
    })
    .await;
    assert_eq!(names::<Pod>(&read(&server, &Pod::NEED).await.unwrap()), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_repeated_token_ends_the_list() {
    let times = AtomicUsize::new(0);
    let server = serve(move |_| list(&[&times.fetch_add(1, Relaxed).to_string()], "again")).await;
    let gap = read(&server, &Pod::NEED).await.err().unwrap();
    assert_eq!((&*gap.need, gap.why), ("pods", Why::Malformed));
    assert_eq!(gap.detail, "GET /api/v1/pods gave the same `continue` token twice");
    assert_eq!(server.targets().len(), 3);
}

#[tokio::test]
async fn an_expired_token_begins_the_list_anew_once() {
    let times = Arc::new(AtomicUsize::new(0));
    let expire = |until: usize, times: Arc<AtomicUsize>| {
        move |target: &str| match target {
            "/api/v1/pods?limit=500" => list(&["a"], "next"),
            _ if times.fetch_add(1, Relaxed) < until => status(410, "Expired", "the token is too old"),
            _ => list(&["b"], ""),
        }
    };
    let server = serve(expire(1, Arc::clone(&times))).await;
    assert_eq!(names::<Pod>(&read(&server, &Pod::NEED).await.unwrap()), ["a", "b"]);
    times.store(0, Relaxed);
    let gap = gap_of(&Pod::NEED, expire(9, times)).await;
    assert_eq!(
        (gap.why, &*gap.detail),
        (
            Why::Changed,
            "GET /api/v1/pods changes faster than it can be read: 410 (it is gone): the token is too old"
        )
    );
}

#[tokio::test]
async fn a_body_without_end_is_left_and_a_smaller_page_tried() {
    let server = serve(|_| Reply::Endless).await;
    let gap = read(&server, &Pod::NEED).await.err().unwrap();
    assert_eq!(gap.why, Why::Malformed);
    assert!(gap.detail.contains("does not end its answer: 10 objects"), "{}", gap.detail);
    let asked = [500, 100, 10].map(|limit| format!("/api/v1/pods?limit={limit}"));
    assert_eq!(server.targets()[1..], asked);

    let server =
        serve(|target| if target.contains("limit=500") { Reply::Endless } else { list(&["a"], "") }).await;
    assert_eq!(names::<Pod>(&read(&server, &Pod::NEED).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn pages_that_show_the_same_again_are_no_list() {
    // The second page is the first one, and the objects of the second one are nowhere.
    let server = serve(|target| match target.split_once("continue=") {
        None => list(&["a", "b"], "one"),
        Some((_, "one")) => list(&["a", "b"], "two"),
        _ => list(&["e"], ""),
    })
    .await;
    let gap = read(&server, &Pod::NEED).await.err().unwrap();
    assert_eq!(
        (gap.why, &*gap.detail),
        (Why::Malformed, "GET /api/v1/pods shows the same objects on several pages")
    );
    let times = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&times);
    let server = serve(move |_| list(&[], &count.fetch_add(1, Relaxed).to_string())).await;
    let gap = read(&server, &Pod::NEED).await.err().unwrap();
    assert!(gap.detail.contains("gives empty pages"), "{}", gap.detail);
    assert!(times.load(Relaxed) < 20, "a server that never ends is left soon");
}

#[tokio::test]
async fn a_404_of_somebody_else_is_no_empty_list() {
    // It is said to be served, and a proxy says that nothing is there.
    let gap = gap_of(&Gateway::NEED, |target| {
        if target == "/apis" { reply(200, DISCOVERED) } else { reply(404, "404 page not found") }
    })
    .await;
    assert_eq!((&*gap.need, gap.why), ("gateways", Why::Malformed));
    // Without the list of groups only an API server's words count, and every API server has that list.
    let html = "<html><title>Not Found</title></html>";
    for apis in [403, 404] {
        let body = if apis == 403 { html } else { "404 page not found" };
        let answer = move |target: &str| reply(if target == "/apis" { apis } else { 404 }, body);
        let gap = gap_of(&HelmChart::NEED, answer).await;
        assert_eq!((&*gap.need, gap.why), ("helmcharts", Why::Malformed), "{apis}");
    }
}

#[tokio::test]
async fn each_failure_is_one_sentence() {
    let message =
        "pods is forbidden: User \"x\" cannot list resource \"pods\" in API group \"\" at the cluster scope";
    let gap = gap_of(&Pod::NEED, move |_| status(403, "Forbidden", message)).await;
    assert_eq!((&*gap.need, gap.why), ("pods", Why::Forbidden));
    assert_eq!(gap.detail, format!("GET /api/v1/pods was answered 403: {message}").as_str());
    let html = format!("<html>\n <title>502</title>{}</html>", "x".repeat(5000));
    let gap = gap_of(&Pod::NEED, move |_| reply_with(502, "content-type: text/html\r\n", &html)).await;
    assert_eq!(gap.why, Why::Unreachable);
    let words = "502 (a proxy in between gets no proper answer from the server): HTML (\"502\") and not JSON";
    assert!(gap.detail.starts_with(&format!("GET /api/v1/pods was answered {words}")), "{}", gap.detail);
    assert!(gap.detail.chars().count() < 260);
    let gap = gap_of(&Pod::NEED, |_| reply(200, r#"{"items":[{"metadata":"not-to-be-seen"}]}"#)).await;
    assert_eq!(gap.why, Why::Malformed);
    assert!(gap.detail.contains("JSON of another shape (line 1"), "{}", gap.detail);
    let gap = gap_of(&Pod::NEED, |_| reply(200, "<html>log in</html>")).await;
    assert!(gap.detail.contains("HTML (\"log in\") and not JSON"), "{}", gap.detail);
    let gap = gap_of(&Pod::NEED, |_| reply(404, "")).await;
    assert_eq!(
        (gap.why, &*gap.detail),
        (Why::Malformed, "GET /api/v1/pods was answered 404 (nothing is there)")
    );
    let gap = gap_of(&Pod::NEED, |_| Reply::Cut).await;
    assert_eq!((gap.why, &*gap.detail), (Why::Unreachable, "GET /api/v1/pods: the connection was cut"));
}

#[tokio::test]
async fn a_source_that_fails_leaves_the_others() {
    let server =
        serve(|target| if target.contains("pods") { reply(500, "{}") } else { list(&["a"], "") }).await;
    let kubernetes = client(&server).await;
    let (pods, nodes, services) = tokio::join!(
        kubernetes.list(&Pod::NEED),
        kubernetes.list(&Node::NEED),
        kubernetes.list(&Service::NEED)
    );
    assert!(pods.is_err());
    assert_eq!(names::<Node>(&nodes.unwrap()), ["a"]);
    assert!(services.is_ok());
}

#[tokio::test]
async fn what_passes_is_asked_again_but_not_for_long() {
    let times = AtomicUsize::new(0);
    let server = serve(move |_| match times.fetch_add(1, Relaxed) {
        0 => reply_with(429, "retry-after: 0\r\n", ""),
        1 => reply(503, ""),
        _ => list(&["a"], ""),
    })
    .await;
    assert!(read(&server, &Pod::NEED).await.is_ok());

    let server = serve(|_| reply_with(429, "retry-after: 86400\r\n", "")).await;
    let url = format!("http://{}", server.address);
    let kubernetes = client_of(&url, "", "token: x", &[], Duration::from_secs(2)).await;
    let begun = Instant::now();
    let gap = kubernetes.list(&Pod::NEED).await.err().unwrap();
    let words = "GET /api/v1/pods was answered 429 (too many requests); it asks for a pause of 24 h";
    assert_eq!((gap.why, &*gap.detail), (Why::RateLimited, words));
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(server.targets().len(), 2, "who asks for a long pause is not asked again");
}

#[tokio::test]
async fn a_list_that_is_not_answered_ends_at_the_deadline() {
    let server = serve(|_| Reply::Silence).await;
    let url = format!("http://{}", server.address);
    let kubernetes = client_of(&url, "", "token: x", &[], Duration::from_millis(500)).await;
    let begun = Instant::now();
    let gap = kubernetes.list(&Pod::NEED).await.err().unwrap();
    assert_eq!((&*gap.need, gap.why), ("pods", Why::TimedOut));
    assert!(begun.elapsed() < Duration::from_secs(3));
    // One list has half of the time, so that others have the rest.
    let gap = kubernetes.list(&Node::NEED).await.err().unwrap();
    assert!(gap.detail.contains("gave no answer"), "{}", gap.detail);
    let gap = kubernetes.list(&Service::NEED).await.err().unwrap();
    assert!(gap.detail.contains("before it was asked"), "{}", gap.detail);
}

#[tokio::test]
async fn a_custom_resource_is_read_in_the_served_version_or_is_known_to_be_absent() {
    let server = serve(|target| match target {
        "/apis" => reply(200, DISCOVERED),
        "/apis/gateway.networking.k8s.io/v1beta1/gateways?limit=500" => list(&["web"], ""),
        _ => status(403, "Forbidden", "forbidden"),
    })
    .await;
    let kubernetes = client(&server).await;
    let (gateways, charts) = tokio::join!(kubernetes.list(&Gateway::NEED), kubernetes.list(&HelmChart::NEED));
    assert_eq!(names::<Gateway>(&gateways.unwrap()), ["web"]);
    assert!(names::<HelmChart>(&charts.unwrap()).is_empty(), "403 on what is not installed is no gap");
    let mut targets = server.targets();
    targets.sort();
    assert_eq!(targets, ["/apis", "/apis/gateway.networking.k8s.io/v1beta1/gateways?limit=500", "/version"]);
    assert!(server.heads().iter().any(|head| head.contains("as=APIGroupDiscoveryList,application/json")));
    // What is installed and may not be read is one.
    let gap = gap_of(&Gateway::NEED, |target| {
        if target == "/apis" { reply(200, DISCOVERED) } else { status(403, "Forbidden", "no") }
    })
    .await;
    assert_eq!((&*gap.need, gap.why), ("gateways", Why::Forbidden));
}

#[tokio::test]
async fn without_discovery_the_versions_are_tried() {
    let server = serve(|target| match target {
        "/apis/gateway.networking.k8s.io/v1beta1/gateways?limit=500" => list(&["web"], ""),
        "/apis" => status(403, "Forbidden", "no"),
        _ => reply(404, "404 page not found\n"),
    })
    .await;
    let kubernetes = client(&server).await;
    assert_eq!(names::<Gateway>(&kubernetes.list(&Gateway::NEED).await.unwrap()), ["web"]);
    assert!(names::<HelmChart>(&kubernetes.list(&HelmChart::NEED).await.unwrap()).is_empty());
    let gap = gap_of(&HelmChart::NEED, |_| status(403, "Forbidden", "no")).await;
    assert_eq!((&*gap.need, gap.why), ("helmcharts", Why::Forbidden));
}

#[tokio::test]
async fn needs_of_other_sources_are_not_asked_of_kubernetes() {
    let server = serve(|_| reply(404, "")).await;
    let need = &kairos_doctor_checks::facts::hetzner::Server::NEED;
    assert!(read(&server, need).await.is_err());
    assert_eq!(server.targets(), ["/version"]);
    assert_eq!(names::<Version>(&read(&server, &Version::NEED).await.unwrap()), ["v1.35.5+k3s1"]);
}

#[tokio::test]
async fn lists_can_be_read_in_tasks_of_their_own() {
    let server =
        serve(|target| if target == "/apis" { reply(200, DISCOVERED) } else { list(&["a"], "") }).await;
    let kubernetes = Arc::new(client(&server).await);
    let tasks = [&Pod::NEED, &Gateway::NEED, &Node::NEED].map(|need| {
        let kubernetes = Arc::clone(&kubernetes);
        tokio::spawn(async move {
            let _ = kubernetes.cluster_ca().await;
            kubernetes.list(need).await.is_ok()
        })
    });
    for task in tasks {
        assert!(task.await.unwrap());
    }
    let once = server.targets().iter().filter(|target| target.contains("configmaps")).count();
    assert_eq!(once, 1);
}

/// An answer of 200 with a body that says to be gzip.
fn gzip_reply(body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_lists_are_unpacked_whatever_their_size() {
    // Around each step in which a buffer grows, and once more than it holds at first.
    for length in [0, 10, 65_000, 65_536, 70_000, 524_288, 600_000, 3_000_000] {
        let item =
            format!(r#"{{"metadata":{{"name":"a","annotations":{{"x":"{}"}}}}}}"#, "é1".repeat(length / 3));
        let body = gzip(&format!(r#"{{"metadata":{{}},"items":[{item}]}}"#));
        let server = serve(move |_| gzip_reply(&body)).await;
        assert_eq!(names::<Pod>(&read(&server, &Pod::NEED).await.unwrap()), ["a"], "{length}");
        assert!(server.heads().iter().all(|head| head.contains("accept-encoding: gzip")));
    }
}

#[tokio::test]
async fn what_is_no_whole_gzip_is_said() {
    let whole = gzip(r#"{"metadata":{},"items":[{"metadata":{"name":"not-to-be-seen"}}]}"#);
    let (half, mut wrong) = (whole[..whole.len() / 2].to_vec(), whole.clone());
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    for (body, words) in [
        (half, "the connection was cut in the middle of the answer"),
        (wrong, "its answer says that it is gzip, and is not"),
        (b"{\"items\":[]}".to_vec(), "its answer says that it is gzip, and is not"),
        (Vec::new(), "the connection was cut in the middle of the answer"),
    ] {
        let gap = gap_of(&Pod::NEED, move |_| gzip_reply(&body)).await;
        assert!(gap.detail.contains(words), "{}", gap.detail);
    }
}

#[tokio::test]
async fn built_in_kinds_are_asked_for_as_protobuf_and_others_as_json() {
    let server = serve(|target| match target {
        "/apis" => reply(200, DISCOVERED),
        _ => list(&["a"], ""),
    })
    .await;
    for (need, accepts) in [
        (&Pod::NEED, "accept: application/vnd.kubernetes.protobuf,application/json\r\n"),
        (&Gateway::NEED, "accept: application/json\r\n"),
    ] {
        // JSON is read too: something in between may know no better.
        assert_eq!(need.len(&read(&server, need).await.unwrap()), 1, "{}", need.key);
        assert!(server.heads().last().unwrap().contains(accepts), "{:?}", server.heads());
    }
}
