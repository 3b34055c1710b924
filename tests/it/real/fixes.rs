//! The commands that a report prints for now do what they say, where they touch nothing but Kubernetes.

use std::time::Instant;

use kairos_doctor_simulator::Options;
use serde_json::{Value, json};

use super::{Kubelets, Real, server};
use crate::cases::none;
use crate::live::{drawn, expected};

const LOCATION: &str = "load-balancer.hetzner.cloud/location";

fn finding<'a>(report: &'a Value, id: &str) -> Option<&'a Value> {
    report["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == id)
}

/// Runs the commands of these steps, as an administrator whose kubeconfig has a context of the same name.
fn type_in(real: &Real, steps: &Value) -> usize {
    let steps = steps.as_array().unwrap().iter();
    let command = |step: &Value| {
        let argv: Vec<String> = serde_json::from_value(step["argv"].clone()).ok()?;
        (argv[0] == "kubectl").then(|| (argv, step["snippet"].as_str().unwrap_or_default().to_string()))
    };
    let commands: Vec<(Vec<String>, String)> =
        steps.filter(|step| step["when"] != "for-good").filter_map(command).collect();
    for (argv, input) in &commands {
        let args: Vec<&str> = argv[1..].iter().map(String::as_str).collect();
        assert!(args.windows(2).any(|pair| pair == ["--context", "prod"]), "{args:?}");
        real.server.kubectl_with(&args, input);
    }
    commands.len()
}

#[test]
fn a_gateway_gets_its_location_and_hands_it_on() {
    let Some(assets) = server::assets("fixes::a_gateway_gets_its_location_and_hands_it_on") else { return };
    let real = Real::of(assets, "kd301/gateway", Options::default(), Kubelets::KnowTheApiServer);
    let id = "KD301/Service/edge/cilium-gateway-web";
    let (report, _) = real.report();
    let found = finding(&report, id).unwrap_or_else(|| panic!("{}", report["findings"]));
    assert_eq!(type_in(&real, &found["fix"]), 1, "{}", found["fix"]);
    let gateway = real.server.json(&["get", "gateway", "web", "-n", "edge"]);
    let annotations = &gateway["spec"]["infrastructure"]["annotations"];
    // the patch adds to what was there
    let name = json!("cilium-gateway-web");
    assert_eq!(annotations, &json!({LOCATION: "nbg1", "load-balancer.hetzner.cloud/name": name}));

    // Cilium's operator would do this now
    let set = format!("{LOCATION}={}", annotations[LOCATION].as_str().unwrap());
    real.server.kubectl(&["annotate", "service", "cilium-gateway-web", "-n", "edge", &set]);
    assert!(finding(&real.report().0, id).is_none());
    assert_eq!(type_in(&real, &found["verify"]), 1);
}

#[test]
fn a_plain_service_gets_its_location() {
    let Some(assets) = server::assets("fixes::a_plain_service_gets_its_location") else { return };
    let real = Real::of(assets, "kd301/plain", Options::default(), Kubelets::KnowTheApiServer);
    let (report, _) = real.report();
    let found = &report["findings"][0];
    assert_eq!(found["code"], "KD301", "{}", report["findings"]);
    assert_eq!(type_in(&real, &found["fix"]), 1, "{}", found["fix"]);
    let subject = &found["subjects"][0];
    let (name, namespace) = (subject["name"].as_str().unwrap(), subject["namespace"].as_str().unwrap());
    let service = real.server.json(&["get", "service", name, "-n", namespace]);
    assert_eq!(service["metadata"]["annotations"][LOCATION], "nbg1");
    assert_eq!(real.report().0["findings"], json!([]));
}

/// What a controller of the Gateway API would do next to an object: `kind namespace/name`.
enum Then {
    Nothing,
    /// It judges the route again, and takes it.
    Takes(&'static str),
    /// The same with a Gateway and all of its listeners.
    Programs(&'static str),
    /// It hands an annotation on to a Service.
    Annotates(&'static str, &'static str),
}

/// Fixtures of which one finding goes away by commands to Kubernetes alone: the finding, and how many commands.
const MENDED: &[(&str, &str, usize, Then)] = &[
    ("kd309/gateway", "KD309/Gateway/edge/web", 1, Then::Annotates("edge/cilium-gateway-web", TYPE)),
    ("kd601/label", "KD601/HTTPRoute/apps/site", 1, Then::Takes("httproute apps/site")),
    ("kd601/no-listener", "KD601/HTTPRoute/edge/site#no-listener", 1, Then::Takes("httproute edge/site")),
    ("kd602/elsewhere", "KD602/GRPCRoute/apps/calls", 1, Then::Takes("grpcroute apps/calls")),
    ("kd602/traefik-name", "KD602/HTTPRoute/apps/site", 1, Then::Takes("httproute apps/site")),
    ("kd603/no-grant", "KD603/HTTPRoute/edge/site", 1, Then::Takes("httproute edge/site")),
    ("kd603/wrong-kind", "KD603/HTTPRoute/edge/site", 1, Then::Takes("httproute edge/site")),
    ("kd604/port-80", "KD604/Gateway/apps/own", 2, Then::Programs("gateway apps/own")),
    ("kd605/typo", "KD605/Gateway/edge/web#no-class", 1, Then::Programs("gateway edge/web")),
    ("kd701/none", "KD701/StorageClass/hcloud-volumes#none", 1, Then::Nothing),
    ("kd701/two", "KD701/StorageClass/local-path#several", 1, Then::Nothing),
];
const TYPE: &str = "load-balancer.hetzner.cloud/type=lb21";

#[test]
fn what_is_mended_in_kubernetes_is_gone() {
    let Some(assets) = server::assets("fixes::what_is_mended_in_kubernetes_is_gone") else { return };
    let mut wrong = Vec::new();
    for (fixture, id, commands, then) in MENDED {
        let began = Instant::now();
        let real = Real::of(assets.clone(), fixture, Options::default(), Kubelets::KnowTheApiServer);
        let look = || real.report_of(&real.restored(real.collected(&[])), "json").json();
        let before = look();
        if drawn(&before) != expected(fixture) {
            wrong.push(format!("{fixture}: {:#?}, and not {:#?}", drawn(&before), expected(fixture)));
        }
        let Some(found) = finding(&before, id) else { continue };
        if type_in(&real, &found["fix"]) != *commands {
            wrong.push(format!("{fixture}: {:#}", found["fix"]));
        }
        then.happens(&real);
        let after = drawn(&look());
        if after.iter().any(|line| line.contains(id) || !drawn(&before).contains(line)) {
            wrong.push(format!("{fixture}: mended, and yet {after:#?}"));
        }
        println!("{fixture}: {:.1} s", began.elapsed().as_secs_f32());
    }
    none(wrong);
}

impl Then {
    fn happens(&self, real: &Real) {
        let object = |what: &str| {
            let (kind, name) = what.split_once(' ').expect("a kind and a name");
            let (namespace, name) = name.split_once('/').expect("a namespace and a name");
            real.server.json(&["get", kind, name, "-n", namespace])
        };
        let mut object = match self {
            Then::Nothing => return,
            Then::Annotates(name, set) => {
                let (namespace, name) = name.split_once('/').expect("a namespace and a name");
                real.server.kubectl(&["annotate", "service", name, "-n", namespace, set]);
                return;
            }
            Then::Takes(what) | Then::Programs(what) => object(what),
        };
        // in the real server's count of changes; the fixture's is put in its place afterwards
        let of = &real.bundle["parts"];
        let part = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
        let is = |o: &&Value| o["metadata"]["uid"] == object["metadata"]["uid"];
        let was = of[&part].as_array().unwrap().iter().find(is).expect("it is the fixture's");
        let generation = was["metadata"]["generation"].clone();
        let conditions = |types: &[&str]| -> Value {
            let condition = |name: &&str| {
                json!({"type": name, "status": "True", "reason": name, "message": "", "observedGeneration": generation,
                    "lastTransitionTime": real.bundle["now"]})
            };
            types.iter().map(condition).collect()
        };
        if let Then::Takes(_) = self {
            // of the controller that judges the other routes here
            let others = ["httproutes", "grpcroutes"].iter().flat_map(|key| of[key].as_array()).flatten();
            let mut names = others.filter_map(|o| o["status"]["parents"][0]["controllerName"].as_str());
            let gateway_class = of["gatewayclasses"][0]["spec"]["controllerName"].as_str();
            let controller = names.next().or(gateway_class).expect("there is a controller");
            let parents = object["spec"]["parentRefs"].as_array().unwrap().iter();
            let judged = |parent: &Value| {
                json!({"parentRef": parent, "controllerName": controller,
                    "conditions": conditions(&["Accepted", "ResolvedRefs"])})
            };
            object["status"] = json!({"parents": parents.map(judged).collect::<Vec<_>>()});
        } else {
            let listeners = object["spec"]["listeners"].as_array().unwrap().iter();
            let judged = |listener: &Value| {
                json!({"name": listener["name"], "attachedRoutes": 0, "supportedKinds": [],
                    "conditions": conditions(&["Accepted", "Programmed", "ResolvedRefs"])})
            };
            object["status"]["listeners"] = listeners.map(judged).collect();
            object["status"]["conditions"] = conditions(&["Accepted", "Programmed"]);
        }
        real.server.kubectl_with(&["replace", "--subresource=status", "-f", "-"], &object.to_string());
    }
}
