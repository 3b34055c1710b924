//! When the cloud controller's ServiceAccount may not do what its controllers do, that part of it does nothing, because the
//! API server refuses the call and only the log tells. What it calls: kubernetes/cloud-provider `46666112` (`controllers`,
//! `node/helpers`, `service/helpers`); what the chart grants: HCCM `chart/templates/clusterrole.yml`.

use serde_json::{Value, json};

use crate::domain::hccm::{self, Ccm, NAME};
use crate::domain::hccm_log::{Said, Word, heard};
use crate::domain::rbac::{Account, Rules};
use crate::facts::controller_log::ControllerLog;
use crate::facts::kubernetes::{ClusterRole, ClusterRoleBinding, Pod, Role, RoleBinding};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::remedies::in_manifest;
use crate::{Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD206",
    slug: "ccm-permissions",
    title: "the cloud controller holds the permissions it needs",
    examines: "permissions",
    severity: Severity::Error,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        &ClusterRole::NEED,
        &ClusterRoleBinding::NEED,
        &Role::NEED,
        &RoleBinding::NEED,
        &ControllerLog::NEED,
    ],
    caused_by: &[],
    explain: include_str!("ccm_permissions.md"),
    judge,
};

/// One kind of call.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Call {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
}

/// Where leases of the leader election are.
const LEASES: &str = "kube-system";

fn calls(ccm: &Ccm) -> Vec<Call> {
    let mut all = Vec::new();
    let mut add = |group, resource, verbs: &[&'static str]| {
        all.extend(verbs.iter().map(|verb| Call { verb, group, resource }));
    };
    add("", "nodes", &["list", "watch"]);
    if ccm.starts("cloud-node-controller", "cloud-node") {
        add("", "nodes", &["get", "patch", "update"]);
        add("", "nodes/status", &["patch"]);
    }
    if ccm.starts("cloud-node-lifecycle-controller", "cloud-node-lifecycle") {
        add("", "nodes", &["delete"]);
    }
    if ccm.starts("service-lb-controller", "service") && !ccm.leaves_load_balancers() {
        add("", "services", &["list", "watch"]);
        add("", "services/status", &["patch"]);
    }
    add("", "events", &["create", "patch"]);
    all
}

/// Calls in [`LEASES`] of one that elects its leader.
fn lease_calls(ccm: &Ccm) -> Vec<Call> {
    let elects = ccm.container().flag("leader-elect") != Some("false");
    let call = |verb| Call { verb, group: "coordination.k8s.io", resource: "leases" };
    if elects { ["get", "create", "update"].map(call).to_vec() } else { Vec::new() }
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    if ccm.container().flag("kubeconfig").is_some_and(|file| !file.is_empty()) {
        let detail = "the cloud controller logs on with a kubeconfig of its own: as whom is not seen";
        return Err(Gap::new(Pod::NEED.key, Why::NotRead, detail).of(ccm.reference().path()));
    }
    let name = &*ccm.pod_spec().service_account_name;
    let name = if name.is_empty() { "default" } else { name };
    let account = Account { namespace: ccm.namespace().to_string(), name: name.to_string() };
    let everywhere = account.everywhere(facts)?;
    let lacks = |rules: &Rules, call: &Call| !rules.allow(call.verb, Some(call.group), call.resource);
    let needed = calls(&ccm);
    v.examined += needed.len();
    let mut missing: Vec<Call> = needed.into_iter().filter(|call| lacks(&everywhere, call)).collect();
    let leases = lease_calls(&ccm);
    v.examined += leases.len();
    if leases.iter().any(|call| lacks(&everywhere, call))
        && let Some(within) = v.see(account.within(facts, LEASES))
    {
        let both = |call: &Call| lacks(&everywhere, call) && lacks(&within, call);
        missing.extend(leases.into_iter().filter(both));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let heard = v.see(heard(facts));
    v.gaps.extend(heard.as_ref().and_then(|heard| heard.unread.clone()));
    let said = heard.as_ref().into_iter().flat_map(|heard| &heard.said);
    let refused: Vec<&Said> = said.filter(|said| is_of(said, &missing)).take(4).collect();
    let finding = tell(facts, &ccm, &account, &everywhere, &missing)?;
    let finding = match refused.is_empty() {
        true => finding.predicted(), // another authorizer may allow it
        false => refused.iter().fold(finding, |f, said| f.shows_at(said.log, &said.path(), said.line.time)),
    };
    v.findings.push(finding);
    Ok(())
}

/// The API server refused one of these calls. It names a subresource with the resource.
fn is_of(said: &Said, missing: &[Call]) -> bool {
    let Word::Rbac { verb, resource } = &said.word else { return false };
    missing.iter().any(|call| *verb == call.verb && *resource == call.resource)
}

fn tell(facts: &Facts, ccm: &Ccm, account: &Account, has: &Rules, missing: &[Call]) -> Known<Finding> {
    let first = &missing[0];
    let more = match missing.len() {
        1 => String::new(),
        2 => " and 1 more thing".into(),
        n => format!(" and {} more things", n - 1),
    };
    let says = format!("the cloud controller may not {} {}{more}", first.verb, first.resource);
    let lacks = |resource: &str| missing.iter().any(|call| call.resource.starts_with(resource));
    let consequences = [
        (lacks("leases"), "it cannot become the leader, and does not start"),
        (lacks("nodes"), "new nodes keep the taint `uninitialized`, and gone ones stay"),
        (lacks("services"), "LoadBalancer Services get no address"),
        (lacks("events"), "its errors stand in no event"),
    ];
    let because: Vec<&str> = consequences.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
    let which = match (lacks("leases"), lacks("nodes"), lacks("services")) {
        (true, _, _) | (_, true, true) => "all",
        (_, true, _) => "nodes",
        (_, _, true) => "services",
        _ => "events",
    };
    let mut finding = Finding::about(account.reference(), says)
        .discriminator(which)
        .because(format!("What follows: {}.", because.join("; ")))
        .relates_to(ccm.workload(facts)?);
    finding = ccm.shown_at(finding, "serviceAccountName");
    for role in
        facts.all::<ClusterRole>()?.iter().filter(|role| has.roles.contains(&role.reference())).take(4)
    {
        finding = finding.shows(role, "rules");
    }
    if missing.iter().all(|call| call.resource == "events") {
        finding = finding.severity(Severity::Warning);
    }
    remedy(facts, finding, account, has, missing)
}

/// Adds what is missing to the role that the account has; else binds the role that the chart makes.
fn remedy(
    facts: &Facts,
    finding: Finding,
    account: &Account,
    has: &Rules,
    missing: &[Call],
) -> Known<Finding> {
    let rules = rules(missing);
    let own = format!("system:{NAME}");
    let bound = has.roles.iter().find(|role| role.name != "system:basic-user" && role.name.contains(NAME));
    let whole = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": own},
        "rules": rules,
    });
    let finding = match bound {
        Some(role) => {
            let operations: Vec<Value> =
                rules.iter().map(|rule| json!({"op": "add", "path": "/rules/-", "value": rule})).collect();
            let patch = Value::Array(operations).to_string();
            let args = ["patch", "clusterrole", &*role.name, "--type", "json", "-p", &*patch];
            finding
                .step(Step::kubectl(Changes::Cluster, "adds what is missing to the role that it has", &args))
                .step(in_manifest(&role.to_string(), json!({ "rules": rules })))
        }
        None => {
            let exists = facts.all::<ClusterRole>()?.iter().any(|role| role.metadata.name == *own);
            let finding = match exists {
                true => finding,
                false => finding.step(Step::apply("makes the role", whole)),
            };
            let (role, to) = (
                format!("--clusterrole={own}"),
                format!("--serviceaccount={}:{}", account.namespace, account.name),
            );
            let binding = format!("{own}:doctor");
            let args = ["create", "clusterrolebinding", &*binding, &*role, &*to];
            finding.step(Step::kubectl(Changes::Cluster, "gives the role to the controller's ServiceAccount", &args)).step(
                Step::decide(
                    "let the chart make role and binding (rbac.create: true, its default), or take both from its manifest \
                     deploy/ccm.yaml",
                )
                .for_good(),
            )
        }
    };
    let may = format!("--as=system:serviceaccount:{}:{}", account.namespace, account.name);
    let first = &missing[0];
    let (resource, sub) = first.resource.split_once('/').unwrap_or((first.resource, ""));
    let sub = format!("--subresource={sub}");
    let mut args = vec!["auth", "can-i", first.verb, resource, &*may];
    if sub != "--subresource=" {
        args.push(&sub);
    }
    Ok(finding.verify_kubectl(&args, "yes"))
}

/// The calls as rules: one for each resource.
fn rules(missing: &[Call]) -> Vec<Value> {
    let mut seen: Vec<&str> = Vec::new();
    let mut all = Vec::new();
    for call in missing {
        if seen.contains(&call.resource) {
            continue;
        }
        seen.push(call.resource);
        let verbs: Vec<&str> =
            missing.iter().filter(|other| other.resource == call.resource).map(|other| other.verb).collect();
        all.push(json!({"apiGroups": [call.group], "resources": [call.resource], "verbs": verbs}));
    }
    all
}
