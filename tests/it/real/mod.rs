//! The program against a real kube-apiserver with a real etcd, beside the simulator's kubelets and Hetzner API.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `etcd`, `kube-apiserver` and `kubectl`, as for controller-runtime's envtest.
//! Without it these tests say that they were skipped. `KAIROS_DOCTOR_CRDS` names a folder with published definitions of
//! custom resources; without it those that are installed take anything, and the test of the published ones is skipped.

mod definitions;
mod demands;
mod deploy;
mod fixes;
mod incident;
mod kubelet_words;
mod objects;
mod protobuf;
mod same;
mod schemas;
mod server;
mod sight;

use std::path::PathBuf;
use std::process::Command;

use kairos_doctor::fixture::Fixture;
use kairos_doctor::rbac;
use kairos_doctor_checks::facts::{NEEDS, Need, Origin, need};
use kairos_doctor_simulator::{Authority, Options, Simulator};
use serde_json::{Value, json};

use crate::live::{Run, bare, run};
use server::{Server, Setup};

/// Whether the API server shows the kubelets a certificate; those of the simulator answer nobody else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kubelets {
    KnowTheApiServer,
    KnowNobody,
}

/// A fixture's cluster in a real API server.
struct Real {
    server: Server,
    /// The same objects once more, and the Hetzner API and kubelets of both.
    simulator: Simulator,
    /// What the simulator serves.
    bundle: Value,
    /// What the fixture has of the objects that neither of the two has.
    judged: Value,
    authority: Authority,
    kubeconfig: PathBuf,
}

impl Real {
    fn of(assets: PathBuf, fixture: &str, options: Options, kubelets: Kubelets) -> Real {
        let mut bundle = Fixture::named(fixture).expect("a fixture").bundle();
        objects::bring_to_present(&mut bundle);
        let judged = std::mem::replace(&mut bundle["parts"][objects::JUDGED], json!([]));
        let authority = Authority::of(&bundle).expect("an authority");
        let context = bundle["context"].as_str().expect("fixtures have a context").to_string();
        let known_to_kubelets = kubelets == Kubelets::KnowTheApiServer;
        let server = Server::start(Setup {
            assets,
            context: &context,
            authority: &authority,
            known_to_kubelets,
            more: &[],
        });
        server.kubectl(&["apply", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rbac.yaml")]);
        let recorded = &bundle["parts"]["customresourcedefinitions"];
        definitions::define(&server, &objects::custom_groups(&bundle), recorded);
        let created = objects::create(&server, &mut bundle);
        objects::start_agents(&mut bundle);
        let simulator = Simulator::start(&bundle, options.signed_by(&authority));
        objects::set_status(&server, &bundle, created, simulator.kubelet_port());
        // a controller writes it into every namespace, and none runs
        let from = format!("--from-literal=ca.crt={}", authority.pem());
        server.kubectl(&["create", "configmap", "kube-root-ca.crt", "-n", "kube-system", &from]);
        let token = server.kubectl(&["create", "token", "kairos-doctor", "-n", "kairos-doctor"]);
        let kubeconfig = server.write_kubeconfig("kairos-doctor", token.trim());
        Real { server, simulator, bundle, judged, authority, kubeconfig }
    }

    /// Puts other kubelets, and another Hetzner API, where those of the simulator were.
    fn serve_instead(&mut self, bundle: Value, options: Options) {
        self.simulator = Simulator::start(&bundle, options.signed_by(&self.authority));
        self.bundle = bundle;
        let port = json!({"status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": self.simulator.kubelet_port()}}}});
        let nodes = self.server.json(&["get", "nodes"]);
        for node in nodes["items"].as_array().unwrap() {
            let name = node["metadata"]["name"].as_str().unwrap();
            self.server.kubectl(&["patch", "node", name, "--subresource=status", "-p", &port.to_string()]);
        }
    }

    /// The program as the ServiceAccount that `deploy/` makes, and with everything else that leads here.
    fn doctor(&self, args: &[&str]) -> Run {
        run(self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HCLOUD_ENDPOINT", self.simulator.hetzner_endpoint())
            .env("HCLOUD_TOKEN", self.simulator.hetzner_token())
            .env("SSL_CERT_FILE", self.simulator.hetzner_ca_file());
        command
    }

    fn report(&self) -> (Value, Run) {
        let run = self.doctor(&["-o", "json"]);
        (run.json(), run)
    }

    /// As the server itself says it.
    fn version(&self) -> Value {
        let version: Value =
            serde_json::from_str(&self.server.kubectl(&["get", "--raw", "/version"])).unwrap();
        version["gitVersion"].clone()
    }

    /// What the doctor records of the real server.
    fn collected(&self, args: &[&str]) -> Value {
        self.recorded_by(self.command(&[]), args)
    }

    /// What it records of that simulator instead.
    fn collected_from(&self, simulator: &Simulator, args: &[&str]) -> Value {
        let mut command = self.command(&[]);
        command.env("KUBECONFIG", simulator.kubeconfig_path());
        self.recorded_by(command, args)
    }

    fn recorded_by(&self, mut command: Command, args: &[&str]) -> Value {
        let path = self.server.folder().join("collected.json");
        command.args(["collect", "--no-redact", "-o"]).arg(&path).args(args);
        let run = run(command);
        // 3: what may not be read is not recorded
        assert!(matches!(run.exit, 0 | 3), "{}", run.err);
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
    }

    /// The recorded cluster with what only a server sets as the fixture has it: when it is, when each object was made,
    /// how often it was changed, and when by whom.
    fn restored(&self, mut recorded: Value) -> Value {
        recorded["now"] = self.bundle["now"].clone();
        recorded["parts"][objects::JUDGED] = self.judged.clone();
        for (key, objects) in recorded["parts"].as_object_mut().expect("a bundle has parts") {
            for object in objects.as_array_mut().into_iter().flatten() {
                let Some(metadata) = object["metadata"].as_object_mut() else { continue };
                let is = |o: &&Value| {
                    ["name", "namespace"].iter().all(|f| o["metadata"].get(f) == metadata.get(*f))
                };
                let Some(was) = self.bundle["parts"][key].as_array().into_iter().flatten().find(is) else {
                    continue;
                };
                for field in ["creationTimestamp", "generation", "managedFields"] {
                    match was["metadata"].get(field) {
                        Some(value) => metadata.insert(field.into(), value.clone()),
                        None => metadata.remove(field),
                    };
                }
            }
        }
        recorded
    }

    /// The report of a recorded cluster.
    fn report_of(&self, bundle: &Value, form: &str) -> Run {
        let path = self.server.folder().join("from.json");
        std::fs::write(&path, bundle.to_string()).unwrap();
        run(bare(&["--from", path.to_str().unwrap(), "-o", form]))
    }

    /// Takes from the ServiceAccount what these needs read, or gives all of it back when there are none.
    fn withhold(&self, keys: &[&str]) {
        let origins: Vec<Origin> = keys.iter().map(|key| need(key).expect("it is a need").from).collect();
        let mut manifests = rbac::manifests();
        for manifest in &mut manifests {
            for rule in manifest["rules"].as_array_mut().into_iter().flatten() {
                let grants: Vec<Grant> = origins.iter().filter_map(grant).collect();
                let of = |resource: &Value, name: Option<&str>| {
                    grants.iter().any(|(plural, only)| resource == plural && *only == name)
                };
                let resources = rule["resources"].clone();
                if let Some(names) = rule["resourceNames"].as_array_mut() {
                    let resource = &resources[0];
                    names.retain(|name| !of(resource, name.as_str()));
                }
                if let Some(resources) = rule["resources"].as_array_mut() {
                    resources.retain(|resource| !of(resource, None));
                }
            }
            if let Some(rules) = manifest["rules"].as_array_mut() {
                rules.retain(|rule| rule["resources"] != json!([]) && rule["resourceNames"] != json!([]));
            }
        }
        let text: String = manifests.iter().map(Value::to_string).collect();
        self.server.kubectl_with(&["apply", "-f", "-"], &text);
        // the authorizer hears of it a moment later
        let (asked, reviews): (Vec<&Need>, Vec<Value>) =
            NEEDS.iter().filter_map(|need| Some((*need, review(&need.from)?))).unzip();
        let heard = || {
            let made =
                self.server.kubectl_with(&["create", "-f", "-", "-o", "json"], &demands::documents(&reviews));
            let judged = objects::items(&made);
            assert_eq!(judged.len(), asked.len());
            asked.iter().zip(&judged).all(|(need, review)| {
                let taken = origins.iter().any(|origin| grant(origin) == grant(&need.from));
                review["status"]["allowed"].as_bool() == Some(!taken)
            })
        };
        self.server.eventually(&format!("everything but {keys:?} to be granted"), heard);
    }
}

/// The question whether the ServiceAccount may read that.
fn review(origin: &Origin) -> Option<Value> {
    let wanted = match origin {
        Origin::Kubernetes(r) => match r.only {
            Some((namespace, name)) => {
                json!({"verb": "get", "group": r.group, "resource": r.plural, "namespace": namespace, "name": name})
            }
            None => json!({"verb": "list", "group": r.group, "resource": r.plural}),
        },
        Origin::PodLogs { namespace, .. } => {
            json!({"verb": "get", "resource": "pods", "subresource": "log", "namespace": namespace})
        }
        _ => return None,
    };
    Some(json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": USER, "resourceAttributes": wanted}}))
}

const USER: &str = "system:serviceaccount:kairos-doctor:kairos-doctor";

/// A resource as RBAC's rules name it, and the one object of it that is read.
type Grant = (&'static str, Option<&'static str>);

fn grant(origin: &Origin) -> Option<Grant> {
    let only = match origin {
        Origin::Kubernetes(resource) => resource.only.map(|(_, name)| name),
        _ => None,
    };
    plural(origin).map(|plural| (plural, only))
}

/// As RBAC's rules name what a need reads.
fn plural(origin: &Origin) -> Option<&'static str> {
    match origin {
        Origin::Kubernetes(resource) => Some(resource.plural),
        Origin::PodLogs { .. } => Some("pods/log"),
        _ => None,
    }
}
