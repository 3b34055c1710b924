//! When the Kubernetes API does not answer, everything else is out of sight, because nothing else knows the cluster. What
//! Hetzner says of the server or load balancer behind its address is then the best there is.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::domain::addresses::{ip, range};
use crate::domain::names::some;
use crate::facts::hetzner::{Firewall, LoadBalancer, Server};
use crate::facts::kubelet::ApiServer;
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD100",
    slug: "api-server-answers",
    title: "the Kubernetes API answers",
    examines: "API servers",
    severity: Severity::Critical,
    needs: &[&ApiServer::NEED, &Server::NEED, &LoadBalancer::NEED, &Firewall::NEED],
    caused_by: &[],
    explain: include_str!("api_server_answers.md"),
    judge,
};

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let api = facts.one::<ApiServer>()?;
    v.examined = 1;
    if api.answered() {
        return Ok(());
    }
    if api.outcome == "not-asked" {
        return Err(Gap::new("kubernetes", Why::TimedOut, format!("{}: {}", api.server, api.detail)));
    }
    let finding =
        Finding::new(api, says(api)).shows(api, "outcome").shows(api, "detail").shows(api, "addresses");
    let finding = match &*api.outcome {
        "client-certificate-expired" => client_certificate(finding, api),
        "unauthorized" => finding.step(Step::decide(
            "get a new kubeconfig: on a server node it is /etc/rancher/k3s/k3s.yaml; replace 127.0.0.1 by the server's address",
        )),
        "tls" => finding.because("Something answers there, but not with a certificate that this kubeconfig trusts.").step(
            Step::decide(
                "check that the address is this cluster's and that the kubeconfig is of its present life: a cluster that was \
                 installed anew has a new certificate authority. If only the name is missing, add it with tls-san and restart \
                 k3s",
            ),
        ),
        "unresolved" => finding.step(Step::decide("correct the host in the kubeconfig, or its DNS record")),
        _ => behind(finding, facts, api, v),
    };
    v.findings.push(finding.verify_kubectl(&["get", "--raw", "/readyz"], "ok"));
    Ok(())
}

fn says(api: &ApiServer) -> String {
    let what = match &*api.outcome {
        "refused" => "refuses connections",
        "timed-out" => "does not answer",
        "unreachable" => "cannot be reached",
        "unresolved" => "has a host name that does not resolve",
        "tls" => "presents a certificate that the kubeconfig does not trust",
        "client-certificate-expired" => "refuses the kubeconfig's client certificate, which has expired",
        "unauthorized" => "refuses the kubeconfig's credentials",
        "not-kubernetes" => "answers, but it is not Kubernetes",
        _ => "fails to answer",
    };
    format!("{} {what}", api.server)
}

fn client_certificate(finding: Finding, api: &ApiServer) -> Finding {
    finding
        .because("k3s renews its certificates when it starts, and writes a new kubeconfig then.")
        .shows(api, "clientNotAfter")
        .step(Step::on_node(
            "on a server node: makes new certificates where the old ones are about to end",
            &["sudo", "systemctl", "restart", "k3s"],
        ))
        .step(Step::decide(
            "then copy /etc/rancher/k3s/k3s.yaml anew and replace 127.0.0.1 by the server's address",
        ))
}

/// Joins the address with what Hetzner says of it. That a public one is this cluster's needs no further proof here: the
/// kubeconfig itself names it. Private ones repeat from project to project, and without the cluster nothing tells.
fn behind(finding: Finding, facts: &Facts, api: &ApiServer, v: &mut Verdict) -> Finding {
    let addresses: Vec<IpAddr> = api.addresses.iter().filter_map(|a| ip(a)).collect();
    let own_machine = !addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback);
    let Some(servers) = v.see(facts.unproven::<Server>()) else {
        return if own_machine { on_this_machine(finding) } else { on_the_server(finding) };
    };
    let has = |s: &&Server| {
        let private = s.private_net.iter().filter_map(|n| ip(&n.ip));
        s.public_addresses().chain(private).any(|a| addresses.contains(&a))
    };
    if let Some(server) = servers.iter().find(has) {
        return with_server(finding, facts, api, server, &addresses, v);
    }
    let balancers = v.see(facts.unproven::<LoadBalancer>()).unwrap_or_default();
    let fronts = |lb: &&LoadBalancer| {
        let public =
            [&lb.public_net.ipv4, &lb.public_net.ipv6].into_iter().flatten().filter_map(|a| ip(&a.ip));
        public.chain(lb.private_net.iter().filter_map(|n| ip(&n.ip))).any(|a| addresses.contains(&a))
    };
    if let Some(lb) = balancers.iter().find(fronts) {
        return with_load_balancer(finding, api, lb, servers);
    }
    if own_machine {
        return on_this_machine(finding);
    }
    let where_ = if servers.is_empty() { "shows no servers" } else { "has no server with this address" };
    on_the_server(finding.because(format!("The Hetzner project that the token shows {where_}.")))
}

/// As k3s writes its kubeconfig, for use on the server alone.
fn on_this_machine(finding: Finding) -> Finding {
    on_the_server(
        finding
            .because("That address is the machine on which you type: k3s.yaml names 127.0.0.1, which only fits on a server.")
            .step(Step::decide(
                "elsewhere: replace 127.0.0.1 in the kubeconfig by the server's address, or start the tunnel it stands for",
            )),
    )
}

fn on_the_server(finding: Finding) -> Finding {
    finding
        .step(Step {
            changes: Changes::Nothing,
            ..Step::on_node("on a server node: is k3s running, and since when?", &["systemctl", "status", "k3s"])
        })
        .step(Step {
            changes: Changes::Nothing,
            ..Step::on_node(
                "on a server node: its last words; `not a member of the etcd cluster` means that node-ip has changed",
                &["sudo", "journalctl", "-u", "k3s", "-n", "50", "--no-pager"],
            )
        })
}

fn with_server(
    finding: Finding,
    facts: &Facts,
    api: &ApiServer,
    server: &Server,
    addresses: &[IpAddr],
    v: &mut Verdict,
) -> Finding {
    if matches!(&*api.outcome, "failing" | "not-kubernetes") {
        return on_the_server(finding); // something answers: it is neither off nor behind a firewall
    }
    let name = &*server.name;
    let public = server.public_addresses().any(|a| addresses.contains(&a));
    let owns = match public {
        true => format!("server {name} ({}), which owns this address,", server.id),
        false => format!("server {name} ({}), which has this private address,", server.id),
    };
    let sure = |step: Step| {
        match public {
        true => step,
        false => step.hazard(
            "private addresses repeat: another project or network may have the same; is this your cluster's server?",
        ),
    }
    };
    let finding = finding.shows(server, "status");
    if server.status == "off" {
        let start = Step::hcloud(Changes::Cloud, "starts the server", &["server", "poweron", name]);
        return finding.because(format!("Hetzner says that {owns} is off.")).step(sure(start));
    }
    if server.locked {
        return finding
            .because(format!("Hetzner says that {owns} is locked: an action is under way."))
            .shows(server, "locked")
            .step(Step::hcloud(
                Changes::Nothing,
                "shows the server; wait until it is unlocked",
                &["server", "describe", name],
            ));
    }
    if server.status != "running" {
        return finding.because(format!("Hetzner says that {owns} is {}.", server.status)).step(
            Step::hcloud(
                Changes::Nothing,
                "shows the server; wait until it runs",
                &["server", "describe", name],
            ),
        );
    }
    if server.rescue_enabled {
        return finding
            .because(format!(
                "Hetzner says that {owns} has the rescue system enabled: it boots that and not Kairos."
            ))
            .shows(server, "rescue_enabled")
            .step(sure(Step::hcloud(
                Changes::Cloud,
                "lets it boot its own disk again",
                &["server", "disable-rescue", name],
            )))
            .step(
                Step::hcloud(Changes::Cloud, "boots it", &["server", "reboot", name])
                    .hazard("ends whatever somebody is doing in the rescue system"),
            );
    }
    let firewalls = if public { v.see(facts.unproven::<Firewall>()).unwrap_or_default() } else { &[] };
    let listed: Vec<i64> = server.public_net.firewalls.iter().map(|f| f.id).collect();
    let applied: Vec<&Firewall> = firewalls
        .iter()
        .filter(|f| listed.contains(&f.id) || f.server_ids().any(|id| id == server.id))
        .collect();
    let v6 = addresses.iter().all(IpAddr::is_ipv6);
    let mut let_in: Vec<IpNet> = applied.iter().flat_map(|f| sources(f, api.port)).collect();
    let_in.retain(|net| net.addr().is_ipv6() == v6);
    let everybody = let_in.iter().any(|net| net.prefix_len() == 0);
    if applied.is_empty() || everybody || api.outcome == "refused" {
        return on_the_server(
            finding.because(format!("Hetzner says that {owns} runs: it is k3s that does not answer.")),
        );
    }
    let names: Vec<&str> = applied.iter().map(|f| &*f.name).collect();
    let whom = match &let_in[..] {
        [] => "nobody".to_string(),
        few @ ([_] | [_, _] | [_, _, _]) => {
            format!("only {}", few.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", "))
        }
        many => format!("only {} ranges", many.len()),
    };
    let mut finding = finding.because(format!(
        "{owns} runs, but its firewall ({}) lets {whom} in on port {}.",
        names.join(", "),
        api.port
    ));
    for firewall in &applied {
        finding = finding.shows(*firewall, "rules");
    }
    let finding = finding.step(Step::decide(format!(
        "who may reach port {}: hcloud firewall add-rule --direction in --protocol tcp --port {} --source-ips <your \
         address>/{} {}",
        api.port,
        api.port,
        if v6 { 128 } else { 32 },
        names[0]
    )));
    // Whether the reader is let in is not known.
    if let_in.is_empty() { finding } else { on_the_server(finding) }
}

/// From where inbound rules let TCP to that port in.
fn sources(firewall: &Firewall, port: u16) -> impl Iterator<Item = IpNet> {
    let covers = move |ports: Option<&str>| match ports {
        None | Some("any") => true,
        Some(ports) => {
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(a), Ok(b)) if (a..=b).contains(&port))
        }
    };
    let rules = firewall
        .rules
        .iter()
        .filter(move |rule| rule.direction == "in" && rule.protocol == "tcp" && covers(rule.port.as_deref()));
    rules.flat_map(|rule| rule.source_ips.iter().filter_map(|s| range(s)))
}

fn with_load_balancer(finding: Finding, api: &ApiServer, lb: &LoadBalancer, servers: &[Server]) -> Finding {
    let port = i64::from(api.port);
    let named =
        |id: i64| servers.iter().find(|s| s.id == id).map_or_else(|| id.to_string(), |s| s.name.to_string());
    let finding = finding.shows(lb, "public_net.enabled");
    if !lb.services.iter().any(|s| s.listen_port == port) {
        return finding
            .because(format!(
                "The address is load balancer {}'s, which does not listen on port {port}.",
                lb.name
            ))
            .shows(lb, "services")
            .step(Step::decide(format!("add a TCP service for port {port} to load balancer {}", lb.name)));
    }
    let selected = lb.targets.iter().flat_map(|t| &t.targets).map(|t| (t.server.as_ref(), &t.health_status));
    let all = lb.targets.iter().map(|t| (t.server.as_ref(), &t.health_status)).chain(selected);
    let sick: Vec<String> = all
        .filter(|(_, health)| health.iter().any(|h| h.listen_port == port && h.status == "unhealthy"))
        .filter_map(|(server, _)| server.map(|s| named(s.id)))
        .collect();
    let why = match &sick[..] {
        [] => format!("The address is load balancer {}'s.", lb.name),
        sick => {
            format!("The address is load balancer {}'s, which finds {} unhealthy.", lb.name, some(sick))
        }
    };
    let finding = finding.because(why).shows(lb, "targets");
    let describe = ["load-balancer", "describe", &*lb.name];
    on_the_server(finding.step(Step::hcloud(
        Changes::Nothing,
        "shows its targets and their health",
        &describe,
    )))
}
