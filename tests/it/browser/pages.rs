//! The pages that are looked at.

use kairos_doctor::demo;
use kairos_doctor::fixture::Fixture;
use kairos_doctor::redact::redact;
use kairos_doctor::report::{View, html, outcome};
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::{ALL, Severity, engine};
use serde_json::{Value, json};

/// The name of a page, and the page.
pub type Shown = (&'static str, String);

pub fn all() -> Vec<Shown> {
    let mut all = vec![
        shown("healthy", &demo_facts("hcm-cilium-3"), false),
        shown("one-node", &demo_facts("hcm-traefik-1"), false),
        incident(),
        shown("verbose", &demo_facts("field-report"), true),
        shown("network-missing", &demo_facts("network-missing"), false),
        shown("no-token", &demo_facts("no-token"), false),
        shown("blind", &demo_facts("no-rbac"), false),
        shown("long-names", &long_names(), true),
        shown("nodes-200", &many_nodes(), false),
        shown("services-5", &many_services(4), false),
        shown("services-13", &many_services(12), false),
    ];
    let redacted = redact(demo_facts("field-report"));
    all.push(("redacted", page(&redacted, View { replaced: redacted.replaced.clone(), ..view(&redacted) })));
    all
}

pub fn incident() -> Shown {
    shown("incident", &demo_facts("field-report"), false)
}

fn demo_facts(name: &str) -> Facts {
    demo::dressed(&demo::named(Some(name)).unwrap())
}

fn shown(name: &'static str, facts: &Facts, verbose: bool) -> Shown {
    (name, page(facts, View { verbose, ..view(facts) }))
}

fn page(facts: &Facts, view: View) -> String {
    html::render(&engine::run(facts, ALL), &view)
}

fn view(facts: &Facts) -> View {
    View {
        width: 80,
        colour: false,
        verbose: false,
        quiet: false,
        min_severity: Severity::Info,
        outcome: outcome(&engine::run(facts, ALL), Some(Severity::Warning)),
        reads: None,
        replaced: None,
        since: None,
        suppressed: Default::default(),
    }
}

/// The incident with names as long and as wide as they come.
fn long_names() -> Facts {
    let bundle = demo::named(None).unwrap().bundle().to_string();
    let node = format!("\"{}\"", "kairos-worker-".repeat(4) + "2");
    let gateway = format!("cilium-gateway-<b>{}", "一W".repeat(24));
    let bundle = bundle.replace("\"k2\"", &node).replace("cilium-gateway-web", &gateway);
    Facts::from_bundle(&serde_json::from_str(&bundle).unwrap()).unwrap()
}

/// 200 nodes behind a load balancer, three of them with a fault each: a kubelet with another address in its
/// certificate, a node that is not ready, and a server that is off.
fn many_nodes() -> Facts {
    let mut bundle = Fixture::named("healthy/hcm-cilium-3").unwrap().bundle();
    let parts = &mut bundle["parts"];
    let of_k2 = |part: &Value| {
        let is_k2 =
            |item: &&Value| item["metadata"]["name"] == "k2" || item["name"] == "k2" || item["node"] == "k2";
        part.as_array().unwrap().iter().find(is_k2).expect("a node of that name").clone()
    };
    for key in ["nodes", "ciliumnodes", "csinodes", "hcloud.servers", "kubelets"] {
        let model = of_k2(&parts[key]).to_string();
        let more = (4..=200).map(|i| serde_json::from_str::<Value>(&renamed(&model, i)).unwrap());
        parts[key].as_array_mut().unwrap().extend(more.collect::<Vec<_>>());
    }
    let own = |item: &Value, name: &str| {
        item["metadata"]["name"] == *name || item["name"] == *name || item["node"] == *name
    };
    let targets = parts["hcloud.load_balancers"][0]["targets"].as_array().unwrap()[1].clone();
    let target = |i: usize| {
        let mut target = targets.clone();
        target["server"]["id"] = (101_000 + i).into();
        target
    };
    let all: Vec<Value> = (1..=200).map(target).collect();
    parts["hcloud.load_balancers"][0]["targets"] = all.into();
    for item in parts["kubelets"].as_array_mut().unwrap().iter_mut().filter(|item| own(item, "k70")) {
        item["certificate"]["ipAddresses"] = json!(["127.0.0.1", "127.0.0.99"]);
    }
    for item in parts["nodes"].as_array_mut().unwrap().iter_mut().filter(|item| own(item, "k111")) {
        for condition in item["status"]["conditions"].as_array_mut().unwrap() {
            if condition["type"] == "Ready" {
                condition["status"] = "False".into();
            }
        }
    }
    for item in parts["hcloud.servers"].as_array_mut().unwrap().iter_mut().filter(|item| own(item, "k151")) {
        item["status"] = "off".into();
    }
    Facts::from_bundle(&bundle).unwrap()
}

/// So many Services more, each with a load balancer; the target k2 of the last one is unhealthy.
fn many_services(count: usize) -> Facts {
    let mut bundle = Fixture::named("healthy/hcm-cilium-3").unwrap().bundle();
    let parts = &mut bundle["parts"];
    let is_web = |item: &&Value| item["metadata"]["name"] == "cilium-gateway-web";
    let model = |part: &Value| part.as_array().unwrap().iter().find(is_web).unwrap().clone();
    let (service, balancer) = (model(&parts["services"]), parts["hcloud.load_balancers"][0].clone());
    for i in 1..=count {
        let (name, uid, address) = (format!("shop-{i}"), format!("uid-{i}"), format!("127.0.0.{}", 20 + i));
        let (mut service, mut balancer) = (service.clone(), balancer.clone());
        service["metadata"]["name"] = name.clone().into();
        service["metadata"]["uid"] = uid.clone().into();
        service["metadata"]["ownerReferences"] = json!([]);
        service["metadata"]["labels"] = json!({});
        service["status"]["loadBalancer"]["ingress"] = json!([{"ip": address}]);
        balancer["id"] = (9100 + i).into();
        balancer["name"] = name.into();
        balancer["labels"]["hcloud-ccm/service-uid"] = uid.into();
        balancer["public_net"]["ipv4"]["ip"] = address.into();
        if i == count {
            for health in balancer["targets"][1]["health_status"].as_array_mut().unwrap() {
                health["status"] = "unhealthy".into();
            }
        }
        parts["services"].as_array_mut().unwrap().push(service);
        parts["hcloud.load_balancers"].as_array_mut().unwrap().push(balancer);
    }
    Facts::from_bundle(&bundle).unwrap()
}

/// What belongs to `k2`, as it would be of node `i`: name, addresses, server and range of pod addresses.
fn renamed(model: &str, i: usize) -> String {
    model
        .replace("\"k2\"", &format!("\"k{i}\""))
        .replace("127.0.0.12", &format!("127.1.0.{i}"))
        .replace("127.0.0.202", &format!("127.2.0.{i}"))
        .replace("10.42.1.", &format!("10.42.{i}."))
        .replace("101002", &(101_000 + i).to_string())
}
