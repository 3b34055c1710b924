mod connection;
mod controller;
mod lists;
mod probe;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use kairos_doctor_checks::facts::kubernetes::{Gateway, HelmChart, Node, Pod, Service, Version};
use kairos_doctor_checks::facts::{Kind, Need, Why};

use super::*;
use crate::collect::kubeconfig::{self, Options, Surroundings};
use crate::collect::loopback::{Loopback, Reply, reply, reply_with};

const VERSION: &str = r#"{"major":"1","minor":"35","gitVersion":"v1.35.5+k3s1"}"#;

/// A client of what answers at that URL; `more` are fields of the kubeconfig's cluster and user.
async fn client_of(
    server: &str,
    cluster: &str,
    user: &str,
    vars: &[(&str, &str)],
    time: Duration,
) -> Kubernetes {
    let text = format!(
        "current-context: one\n\
         contexts: [{{name: one, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{server}'{cluster}}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\n"
    );
    let home = tempfile::TempDir::new().unwrap();
    let file = home.path().join("kubeconfig");
    std::fs::write(&file, text).unwrap();
    let vars = vars.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let options = Options { kubeconfig: Some(file), ..Options::default() };
    let deadline = Deadline::after(time);
    let setup = kubeconfig::load(&options, &Surroundings::new(vars), deadline).await.unwrap();
    connect(setup, deadline, Arc::new(Meter::default())).await.unwrap()
}

async fn client(server: &Loopback) -> Kubernetes {
    let url = format!("http://{}", server.address);
    client_of(&url, "", "token: not-to-be-seen", &[], Duration::from_secs(20)).await
}

/// A server that has a version, and otherwise answers like this.
async fn serve(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Loopback {
    Loopback::serve(move |target| if target == "/version" { reply(200, VERSION) } else { answer(target) })
        .await
}

fn list(names: &[&str], next: &str) -> Reply {
    let items: Vec<_> = names.iter().map(|name| serde_json::json!({"metadata": {"name": name}})).collect();
    reply(200, &serde_json::json!({"metadata": {"continue": next}, "items": items}).to_string())
}

fn status(code: u16, reason: &str, message: &str) -> Reply {
    let status = serde_json::json!({"kind": "Status", "reason": reason, "message": message, "code": code});
    reply(code, &status.to_string())
}

fn names<T: Kind>(part: &Part) -> Vec<String> {
    part.downcast_ref::<Vec<T>>().unwrap().iter().map(|item| item.reference().name.to_string()).collect()
}
