//! The only I/O: reads a cluster into facts. Every request starts as soon as its inputs are there, all under one deadline,
//! and each source fails alone.

pub mod budget;
pub mod certificate;
pub mod guard;
pub mod hcloud_config;
pub mod hetzner;
pub mod kubeconfig;
pub mod kubelet;
pub mod kubernetes;
#[cfg(test)]
mod loopback;
mod plainly;
mod progress;
mod room;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use jiff::{Timestamp, Unit};
use kairos_doctor_checks::facts::controller_log::ControllerLog;
use kairos_doctor_checks::facts::kubelet::{ApiServer, ClusterCa, Kubelet, LogProbe};
use kairos_doctor_checks::facts::kubernetes::{DaemonSet, Deployment, Namespace, Node, Pod, Version};
use kairos_doctor_checks::facts::{Facts, Gap, Kind, Known, NEEDS, Need, Origin, Part, Resource, Text, Why};
use kairos_doctor_checks::{ALL, Check};
use rustls::pki_types::CertificateDer;
use tokio::sync::OnceCell;

use budget::{Deadline, Meter};
use hcloud_config::Access;
use hetzner::Hetzner;
use kubernetes::Kubernetes;
use progress::Progress;

/// What to read, and how to get there.
pub struct Plan {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub as_user: Option<String>,
    pub hcloud_token_file: Option<PathBuf>,
    pub hcloud_context: Option<String>,
    /// False leaves the Hetzner API out, on purpose.
    pub hetzner: bool,
    /// For the whole run.
    pub timeout: Duration,
    pub needs: Vec<&'static Need>,
}

/// What these checks read, and what the report's header shows; for all checks all there is, so that a run and a recording
/// of the same cluster know the same.
pub fn needs_of(checks: &[&'static Check]) -> Vec<&'static Need> {
    if checks.len() == ALL.len() {
        return NEEDS.to_vec();
    }
    let header: [&Need; 7] = [
        &ApiServer::NEED,
        &Version::NEED,
        &Namespace::NEED,
        &Node::NEED,
        &Deployment::NEED,
        &DaemonSet::NEED,
        &Pod::NEED,
    ];
    let wanted = |need: &&&'static Need| {
        header.contains(*need) || checks.iter().any(|check| check.needs.contains(*need))
    };
    NEEDS.iter().filter(wanted).copied().collect()
}

/// Reads the cluster. What could not be read is a gap; the rest is there all the same.
///
/// # Errors
/// One sentence, when it could not even be attempted: no kubeconfig, an unknown context, an unreadable token file.
pub async fn collect(plan: Plan) -> Result<(Facts, Arc<Meter>), String> {
    let deadline = Deadline::after(plan.timeout);
    let meter = Arc::new(Meter::default());
    let progress = Progress::new();
    let access = access(&plan)?;
    let cluster = Arc::new(connect(&plan, deadline, meter.clone()).await?);
    let now = Timestamp::now().round(Unit::Second).unwrap_or_else(|_| Timestamp::now());
    let mut facts = Facts::new(now);
    facts.context = cluster.context().map(Text::new);
    facts.hetzner_context = access.as_ref().ok().and_then(|a| a.context.as_deref()).map(Text::new);
    let (kubernetes, hetzner) = join(
        read_cluster(&plan, &cluster, deadline, &meter, &progress),
        read_hetzner(&plan, &access, deadline, &meter, &progress),
    )
    .await;
    progress.done();
    for (need, part) in kubernetes.into_iter().chain(hetzner) {
        facts.put(need, part);
    }
    Ok((facts, meter))
}

type Read = (&'static Need, Known<Part>);

/// `Err` is the gap that stands for all of Hetzner.
fn access(plan: &Plan) -> Result<Known<Access>, String> {
    if !plan.hetzner {
        return Ok(Err(Gap::new("hcloud", Why::LeftOut, "left out by --no-hetzner")));
    }
    let options = hcloud_config::Options {
        token_file: plan.hcloud_token_file.as_deref(),
        context: plan.hcloud_context.as_deref(),
    };
    let access = hcloud_config::access(options, &|name| std::env::var(name).ok())?;
    for note in access.iter().flat_map(|a| &a.notes) {
        let _ = writeln!(std::io::stderr(), "kairos-doctor: {}", Text::new(note));
    }
    Ok(access)
}

async fn connect(plan: &Plan, deadline: Deadline, meter: Arc<Meter>) -> Result<Kubernetes, String> {
    let options = kubeconfig::Options {
        kubeconfig: plan.kubeconfig.clone(),
        context: plan.context.clone(),
        impersonate: plan.as_user.clone(),
    };
    let around = kubeconfig::Surroundings::of_process();
    let setup = kubeconfig::load(&options, &around, deadline).await.map_err(|e| e.to_string())?;
    kubernetes::connect(setup, deadline, meter).await.map_err(|e| e.to_string())
}

async fn read_hetzner(
    plan: &Plan,
    access: &Known<Access>,
    deadline: Deadline,
    meter: &Meter,
    progress: &Progress,
) -> Vec<Read> {
    let needs = plan.needs.iter().filter(|need| matches!(need.from, Origin::Hetzner(_)));
    let api = access.as_ref().map_err(Gap::clone).and_then(|access| Hetzner::new(access, deadline));
    let lists = needs.map(async |need| match &api {
        Ok(api) => {
            let list = timed(need, meter, api.list(need, deadline, meter));
            (*need, progress.counted("Hetzner", list).await)
        }
        Err(gap) => (*need, Err(gap.clone())),
    });
    join_all(lists).await
}

/// Lists at once; kubelets as soon as nodes and the cluster's authority are known; logs as soon as pods are.
async fn read_cluster(
    plan: &Plan,
    api: &Arc<Kubernetes>,
    deadline: Deadline,
    meter: &Meter,
    progress: &Progress,
) -> Vec<Read> {
    let is_made = |need: &Need| !matches!(need.from, Origin::Kubernetes(_)) || *need == ClusterCa::NEED;
    // These two are waited for by others as well, each as soon as it is there.
    let (nodes, pods) = (OnceCell::new(), OnceCell::new());
    let read = async |need: &'static Need| {
        progress.counted("Kubernetes", timed(need, meter, list_apart(api, need))).await
    };
    let list = async |need: &'static Need| {
        if *need == Node::NEED {
            nodes.get_or_init(|| read(need)).await.clone()
        } else if *need == Pod::NEED {
            pods.get_or_init(|| read(need)).await.clone()
        } else {
            read(need).await
        }
    };
    let needs = plan.needs.iter().filter(|need| need.source() == "kubernetes" && !is_made(need));
    let lists = needs.map(async |need| (*need, list(need).await));
    let lists = async {
        let all = join_all(lists).await;
        // The handshakes may take longer.
        room::clear();
        all
    };
    let input = async |need: &'static Need| match plan.needs.contains(&need) {
        true => list(need).await,
        false => Err(not_asked(need)),
    };
    let kubelets = async {
        match plan.needs.contains(&&Kubelet::NEED) {
            true => Some(read_kubelets(api, &input, deadline, progress).await),
            false => None,
        }
    };
    let controller = async {
        match plan.needs.contains(&&ControllerLog::NEED) {
            true => Some(read_controller(api, &input).await),
            false => None,
        }
    };
    let is_custom = |need: &Need| matches!(need.from, Origin::Kubernetes(Resource { custom: true, .. }));
    let discovery = async {
        if plan.needs.iter().any(|need| is_custom(need)) {
            api.discover().await;
        }
    };
    let (lists, kubelets, controller, authority, ()) =
        tokio::join!(lists, kubelets, controller, api.cluster_ca(), discovery);
    let mut all = lists;
    let mut put = |key: &Need, part: Known<Part>| {
        if let Some(need) = plan.needs.iter().find(|need| ***need == *key) {
            all.push((*need, part));
        }
    };
    put(&ApiServer::NEED, Ok(ApiServer::NEED.join(vec![Arc::new(vec![api.api_server().await])])));
    put(&Version::NEED, api.version().await);
    put(&ClusterCa::NEED, authority.map(|authority| authority.part));
    if let Some((kubelets, probes)) = kubelets {
        put(&Kubelet::NEED, kubelets);
        put(&LogProbe::NEED, probes);
    }
    if let Some(log) = controller {
        put(&ControllerLog::NEED, log);
    }
    all
}

/// Reads a list in a task of its own: to unpack thousands of pages is more than one core should do.
async fn list_apart(api: &Arc<Kubernetes>, need: &'static Need) -> Known<Part> {
    let api = Arc::clone(api);
    match tokio::spawn(async move { api.list(need).await }).await {
        Ok(part) => part,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// Handshakes with the kubelets, and the log probe, which asks first for those that showed no certificate to trust.
async fn read_kubelets(
    api: &Kubernetes,
    input: impl AsyncFn(&'static Need) -> Known<Part>,
    deadline: Deadline,
    progress: &Progress,
) -> (Known<Part>, Known<Part>) {
    let (nodes, authority) = join(input(&Node::NEED), api.cluster_ca()).await;
    let mut roots: Vec<CertificateDer<'static>> = api.roots().to_vec();
    roots.extend(authority.into_iter().flat_map(|authority| authority.roots));
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(gap) => return (Err(gap.clone()), Err(gap)),
    };
    let kubelets = progress.kubelets(items::<Node>(&nodes), &roots, deadline).await;
    let probes = match input(&Pod::NEED).await {
        Ok(pods) => {
            let unseen: Vec<&str> = items::<Kubelet>(&kubelets)
                .iter()
                .filter(|k| k.certificate.is_none() || !k.trusted)
                .map(|k| &*k.node)
                .collect();
            api.log_probe(items::<Pod>(&pods), items::<Node>(&nodes), &unseen).await
        }
        Err(gap) => Err(gap),
    };
    (Ok(kubelets), probes)
}

/// What the cloud controller says.
async fn read_controller(api: &Kubernetes, input: impl AsyncFn(&'static Need) -> Known<Part>) -> Known<Part> {
    let pods = input(&Pod::NEED).await?;
    api.controller_log(items::<Pod>(&pods)).await
}

/// Does the work and notes how long it took.
async fn timed<T>(need: &'static Need, meter: &Meter, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    meter.took(need.key, begun.elapsed());
    done
}

fn items<T: Kind>(part: &Part) -> &[T] {
    part.downcast_ref::<Vec<T>>().map_or(&[], Vec::as_slice)
}

fn not_asked(need: &Need) -> Gap {
    Gap::new(need.key, Why::NotRead, "it was not asked for")
}
