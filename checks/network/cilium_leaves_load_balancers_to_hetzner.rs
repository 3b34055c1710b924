//! When Cilium's LB-IPAM is responsible for Services that the cloud controller makes load balancers for, it takes their
//! addresses away again, because it removes from a Service's status every address that is not of a pool of its own: as soon
//! as there is any pool, and whatever the pool selects (cilium `operator/pkg/lbipam/lbipam.go`, `isResponsibleForSVC`,
//! `stripOrImportIngresses`). An L2 policy makes agents answer for Hetzner's addresses, which no cloud network asks them.

use crate::domain::addresses::{ip, range};
use crate::domain::cilium::{self, Cilium};
use crate::domain::hccm::{self, Ccm};
use crate::facts::kubernetes::{
    CiliumL2AnnouncementPolicy, CiliumLoadBalancerIPPool, LabelSelector, PoolBlock, Service,
};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::remedies::cilium as remedy;
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD505",
    slug: "cilium-leaves-load-balancers-to-hetzner",
    title: "Cilium announces no load balancer addresses",
    examines: "Cilium configurations",
    severity: Severity::Warning,
    needs: &[
        cilium::NEEDS[0],
        cilium::NEEDS[1],
        cilium::NEEDS[2],
        hccm::NEEDS[1],
        &Service::NEED,
        &CiliumLoadBalancerIPPool::NEED,
        &CiliumL2AnnouncementPolicy::NEED,
        remedy::NEEDS[0],
        remedy::NEEDS[1],
    ],
    caused_by: &[],
    explain: include_str!("cilium_leaves_load_balancers_to_hetzner.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(cilium) = Cilium::find(facts)? else { return Ok(()) };
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    if ccm.leaves_load_balancers() {
        return Ok(()); // somebody else makes them, perhaps Cilium
    }
    v.examined += 1;
    let services: Vec<&Service> = ccm.services(facts)?.collect();
    let before = v.findings.len();
    let pools = facts.all::<CiliumLoadBalancerIPPool>()?;
    if !pools.is_empty() && !services.is_empty() && takes_all(&cilium) {
        let finding = pools_take(facts, &cilium, pools, &services, v);
        v.findings.push(finding);
    }
    for policy in facts.all::<CiliumL2AnnouncementPolicy>()? {
        if !policy.spec.load_balancer_ips || !cilium.config.is_true("enable-l2-announcements") {
            continue;
        }
        let mut selected = Vec::new();
        let mut unread = None;
        for service in &services {
            match selects(policy.spec.service_selector.as_ref(), service) {
                Some(true) => selected.push(*service),
                Some(false) => {}
                None => unread = Some(service.reference().path()),
            }
        }
        if let Some(finding) = announces(&cilium, policy, &selected) {
            v.findings.push(finding);
        } else if let Some(path) = unread {
            let name = &policy.metadata.name;
            let detail =
                format!("CiliumL2AnnouncementPolicy {name} selects by a label that is not read of {path}");
            v.gaps.push(Gap::new(Service::NEED.key, Why::NotRead, detail).of(path));
        }
    }
    if v.findings.len() == before { cilium.is_live() } else { Ok(()) }
}

/// LB-IPAM is on, and Services without a class are its own.
fn takes_all(cilium: &Cilium) -> bool {
    cilium.config.get("enable-lb-ipam") != Some("false")
        && cilium.config.get("default-lb-service-ipam").is_none_or(|default| default == "lbipam")
}

fn pools_take(
    facts: &Facts,
    cilium: &Cilium,
    pools: &[CiliumLoadBalancerIPPool],
    services: &[&Service],
    v: &mut Verdict,
) -> Finding {
    let config = cilium.config;
    let held = |service: &Service, pool: &CiliumLoadBalancerIPPool| {
        let mut given = service.status.load_balancer.ingress.iter().filter_map(|ingress| ip(&ingress.ip));
        given.any(|address| pool.spec.blocks.iter().any(|block| holds(block, address)))
    };
    let from_pool = services.iter().find(|service| pools.iter().any(|pool| held(service, pool)));
    let says = match from_pool {
        Some(service) => format!(
            "Service {} has an address of Cilium's pool and not Hetzner's",
            service.reference().path()
        ),
        None => "Cilium takes Hetzner's addresses away from LoadBalancer Services".to_string(),
    };
    let mut finding = Finding::new(config, says)
        .because(
            "With a pool in the cluster and no other default, Cilium is responsible for every Service without a class, and \
             removes each address that is not of a pool. The cloud controller writes its own again only when the Service \
             changes.",
        )
        .shows(config, "data['default-lb-service-ipam']")
        .shows(config, "data['enable-lb-ipam']");
    for pool in pools.iter().take(4) {
        finding = finding.shows(pool, "spec.blocks");
    }
    for service in services.iter().take(8) {
        finding = finding.shows(*service, "status.loadBalancer.ingress");
    }
    for service in services.iter().skip(8) {
        finding = finding.relates(*service);
    }
    if from_pool.is_none() {
        finding = finding.predicted();
    }
    let change = remedy::Change {
        why: "leaves Services to the cloud controller; those with loadBalancerClass io.cilium/… stay Cilium's",
        values: serde_json::json!({"defaultLBServiceIPAM": "none"}),
        settings: serde_json::json!({"default-lb-service-ipam": "none"}),
        readers: &["daemonset/cilium", "deployment/cilium-operator"],
        hazard: Some("Cilium then empties the addresses of the Services that it had taken"),
    };
    let finding = remedy::tell(finding, facts, cilium, change, v);
    let Ok(Some(ccm)) = Ccm::find(facts) else { return finding };
    let Some(workload) = v.see(ccm.workload(facts)) else { return finding };
    let target = format!("{}/{}", workload.kind.to_lowercase(), workload.name);
    let namespace = ccm.namespace();
    let args = ["rollout", "restart", "-n", &*namespace, &*target];
    let again =
        "after that: the controller looks at every Service at its start, and writes the addresses again";
    cilium.honest(finding.step(Step::kubectl(Changes::Cluster, again, &args)))
}

fn announces(cilium: &Cilium, policy: &CiliumL2AnnouncementPolicy, selected: &[&Service]) -> Option<Finding> {
    let first = selected.first()?;
    let name = &*policy.metadata.name;
    let says = format!(
        "Cilium announces the load balancer addresses of {} as its own nodes'",
        match selected.len() {
            1 => format!("Service {}", first.reference().path()),
            several => format!("{several} Services"),
        }
    );
    let mut finding = Finding::new(policy, says)
        .because(
            "The addresses are those of Hetzner's load balancers. In a cloud network nobody asks the nodes for them; in a \
             vSwitch the answer takes the load balancer's traffic away.",
        )
        .predicted()
        .shows(policy, "spec.loadBalancerIPs")
        .shows(cilium.config, "data['enable-l2-announcements']");
    for service in selected.iter().take(8) {
        finding = finding.shows(*service, "status.loadBalancer.ingress");
    }
    let patch = r#"{"spec":{"loadBalancerIPs":false}}"#;
    let args = ["patch", "ciliuml2announcementpolicy", name, "--type", "merge", "-p", patch];
    let finding = finding
        .step(Step::kubectl(
            Changes::Cluster,
            "stops it for all Services; a serviceSelector would for some",
            &args,
        ))
        .step(crate::remedies::in_manifest(
            &policy.reference().to_string(),
            serde_json::json!({"spec": {"loadBalancerIPs": false}}),
        ))
        .verify_kubectl(
            &["get", "lease", "-n", "kube-system"],
            "no cilium-l2announce-… of these Services is left",
        );
    Some(cilium.honest(finding))
}

fn holds(block: &PoolBlock, address: std::net::IpAddr) -> bool {
    if let Some(cidr) = range(&block.cidr) {
        return cidr.contains(&address);
    }
    let Some(start) = ip(&block.start) else { return false };
    let stop = ip(&block.stop).unwrap_or(start);
    start.is_ipv4() == address.is_ipv4() && start <= address && address <= stop
}

/// Whether a policy selects a Service; two keys stand for its namespace and its name.
fn selects(selector: Option<&LabelSelector>, service: &Service) -> Option<bool> {
    let Some(selector) = selector else { return Some(true) };
    let meta = &service.metadata;
    selector.selects_besides(&meta.labels, |key| match key {
        "io.kubernetes.service.namespace" => meta.namespace.as_deref(),
        "io.kubernetes.service.name" => Some(&*meta.name),
        _ => None,
    })
}
