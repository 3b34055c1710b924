//! When a definition (CRD) that the controller watches is missing or not served in its version, the controller serves no Gateway at
//! all, because Cilium's operator then leaves Gateway API off until its next start, and Traefik waits for it for ever. The tables
//! are what each release asks for: traefik `pkg/provider/kubernetes/gateway/client.go` (`WatchAll`), tags v3.0.0 to v3.7.0;
//! cilium `operator/pkg/gateway-api/cell.go` (`requiredGVK`), 1.15 to 1.20, cilium/cilium#34212, #45139, #45930, #46031.

use serde_json::json;

use crate::domain::gateway_controller::{Controller, NEEDS as CONTROLLER, Program};
use crate::facts::kubernetes::{CiliumConfig, CustomResourceDefinition, GATEWAY_GROUP, HelmChart};
use crate::facts::{Facts, Kind, Known};
use crate::k3s::k3s_disable_values;
use crate::remedies::charts::chart_name;
use crate::{Cause, Changes, Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD607",
    slug: "gateway-crds",
    title: "Gateway API CRDs fit the controller that serves them",
    examines: "controllers told to serve Gateway API",
    severity: Severity::Error,
    needs: &[
        &CustomResourceDefinition::NEED,
        &CiliumConfig::NEED,
        CONTROLLER[0],
        CONTROLLER[1],
        CONTROLLER[2],
        &HelmChart::NEED,
    ],
    // Traefik was to go, and its chart of definitions with it.
    caused_by: &[Cause::everywhere(&k3s_disable_values::CHECK)
        .when(|cause, effect| cause.discriminator == Some("traefik") && effect.subject.kind == "HelmChart")],
    explain: include_str!("gateway_crds.md"),
    judge,
};

/// What the releases of a controller watch, from the one named on: the bundle they were built with, its channel, and the kinds
/// in their versions.
type Row = (Program, (u64, u64), &'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    (
        Program::Traefik,
        (0, 0),
        "v1.1.0",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1",
    ),
    (
        Program::Traefik,
        (3, 2),
        "v1.2.1",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1",
    ),
    (
        Program::Traefik,
        (3, 5),
        "v1.3.0",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1",
    ),
    (
        Program::Traefik,
        (3, 6),
        "v1.4.0",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1 backendtlspolicies/v1",
    ),
    (
        Program::Traefik,
        (3, 7),
        "v1.5.1",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1 backendtlspolicies/v1 \
         tlsroutes/v1",
    ),
    (
        Program::Cilium,
        (0, 0),
        "v1.0.0",
        "experimental",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1alpha2 tlsroutes/v1alpha2",
    ),
    (
        Program::Cilium,
        (1, 16),
        "v1.1.0",
        "experimental",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1 tlsroutes/v1alpha2",
    ),
    (
        Program::Cilium,
        (1, 17),
        "v1.2.0",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1",
    ),
    (
        Program::Cilium,
        (1, 18),
        "v1.3.0",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1",
    ),
    (
        Program::Cilium,
        (1, 19),
        "v1.4.1",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1beta1 grpcroutes/v1",
    ),
    (
        Program::Cilium,
        (1, 20),
        "v1.6.1",
        "standard",
        "gatewayclasses/v1 gateways/v1 httproutes/v1 referencegrants/v1 grpcroutes/v1 backendtlspolicies/v1 tlsroutes/v1",
    ),
];

/// What every release above watches: for an image whose tag is no version.
const CORE: &str = "gatewayclasses/v1 gateways/v1 httproutes/v1";

/// Kinds of the standard channel that k3s' chart has had from the start.
const STANDARD: [&str; 5] = ["gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants"];

fn row(controller: &Controller) -> Option<&'static Row> {
    let (major, minor, _) = controller.release()?;
    ROWS.iter().rev().find(|(program, since, ..)| *program == controller.program && *since <= (major, minor))
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let definitions = facts.all::<CustomResourceDefinition>()?;
    let config = facts.all::<CiliumConfig>()?.first().filter(|config| config.is_true("enable-gateway-api"));
    let mut told = Vec::new();
    if config.is_some() {
        told.extend(Controller::of(facts, Program::Cilium)?);
    }
    told.extend(Controller::of(facts, Program::Traefik)?.filter(|c| c.serves_gateways() == Some(true)));
    for controller in &told {
        v.examined += 1;
        let mut missing = missing(definitions, controller);
        missing.sort();
        if !missing.is_empty() {
            let finding = tell(facts, definitions, config, controller, &missing, v);
            v.findings.push(finding);
        }
    }
    if !told.is_empty()
        && let Some(charts) = v.see(facts.all::<HelmChart>())
    {
        let bundled =
            charts.iter().find(|chart| chart_name(chart) == "traefik-crd" && brings_gateway_api(chart));
        v.findings.extend(bundled.and_then(|chart| contested(definitions, chart, config)));
    }
    Ok(())
}

fn definition<'a>(
    definitions: &'a [CustomResourceDefinition],
    plural: &str,
) -> Option<&'a CustomResourceDefinition> {
    definitions.iter().find(|d| d.spec.group == GATEWAY_GROUP && d.spec.names.plural == *plural)
}

fn serves(definition: &CustomResourceDefinition, version: &str) -> bool {
    definition.spec.versions.iter().any(|v| v.name == *version && v.served == Some(true))
}

/// What the controller watches and the cluster does not serve: plural and version.
fn missing(
    definitions: &[CustomResourceDefinition],
    controller: &Controller,
) -> Vec<(&'static str, &'static str)> {
    let release = controller.release();
    let kinds = row(controller).map_or(CORE, |(.., kinds)| kinds);
    let mut missing: Vec<(&str, &str)> = kinds.split(' ').filter_map(|kind| kind.split_once('/')).collect();
    missing.retain(|(plural, version)| !definition(definitions, plural).is_some_and(|d| serves(d, version)));
    // These take TLSRoutes as there when the version is listed, and stop when it is listed but not served (cilium#45139).
    if controller.program == Program::Cilium && matches!(release, Some((1, 17..=19, _))) {
        let listed = definition(definitions, "tlsroutes").filter(|d| {
            d.spec.versions.iter().any(|version| version.name == "v1alpha2" && version.served == Some(false))
        });
        missing.extend(listed.map(|_| ("tlsroutes", "v1alpha2")));
    }
    missing
}

fn tell(
    facts: &Facts,
    definitions: &[CustomResourceDefinition],
    config: Option<&CiliumConfig>,
    controller: &Controller,
    missing: &[(&str, &str)],
    v: &mut Verdict,
) -> Finding {
    let release = controller.release();
    let who = match release {
        Some((major, minor, _)) => format!("{} {major}.{minor}", controller.program.name()),
        None => controller.program.name().to_string(),
    };
    let listed: Vec<String> = missing.iter().map(|(plural, version)| format!("{plural} {version}")).collect();
    let what = match &listed[..] {
        few @ [_] | few @ [_, _] => format!("the cluster does not serve {}", few.join(" and ")),
        many => format!("{} definitions are missing", many.len()),
    };
    let mut finding = Finding::about(controller.reference(), format!("{who} serves no Gateway API: {what}"))
        .discriminator("missing")
        .because(format!("Without {} it starts nothing of Gateway API.", listed.join(", ")));
    finding = match (controller.program, config) {
        (Program::Cilium, Some(config)) => finding.shows(config, "data.enable-gateway-api"),
        _ => controller.flag_shown(finding, "providers.kubernetesgateway"),
    };
    finding = controller.shown(finding, "spec.template.spec.containers[0].image");
    for (plural, version) in missing {
        if let Some(definition) = definition(definitions, plural) {
            finding = finding
                .shows(definition, "metadata.annotations['gateway.networking.k8s.io/bundle-version']")
                .shows(definition, &format!("spec.versions[name={version}].served"));
        }
    }
    finding =
        finding.verify_kubectl(&["get", "gatewayclass"], "ACCEPTED shows True for the controller's class");
    let (bundle, channel) = row(controller).map_or(("v1.3.0", "standard"), |row| (row.2, row.3));
    let url = format!(
        "https://github.com/kubernetes-sigs/gateway-api/releases/download/{bundle}/{channel}-install.yaml"
    );
    let charts = v.see(facts.all::<HelmChart>()).unwrap_or_default();
    let bundled = charts.iter().find(|chart| chart_name(chart) == "traefik-crd" && brings_gateway_api(chart));
    let release_of = definitions
        .iter()
        .filter(|d| d.spec.group == GATEWAY_GROUP)
        .find_map(|d| d.metadata.annotation("meta.helm.sh/release-name"));
    if let (Some(chart), Program::Traefik) = (bundled, controller.program) {
        let namespace = chart.metadata.namespace.as_deref().unwrap_or_default();
        let job = format!("job/helm-install-{}", chart.metadata.name);
        return finding
            .relates(chart)
            .step(Step::kubectl(
                Changes::Nothing,
                "shows why k3s' chart traefik-crd, which brings them, has not installed them",
                &["logs", &job, "-n", namespace, "--tail", "50"],
            ))
            .step(Step::decide(
                "let that chart install them: what is applied by hand beside it, it cannot take over",
            ));
    }
    if let Some(release) = release_of {
        return finding.step(Step::decide(format!(
            "upgrade the Helm release {release}, which owns the definitions, to one that brings Gateway API {} or later; or \
             run a version of {} that was built with the one it brings",
            bundle,
            controller.program.name()
        )));
    }
    let apply = Step::kubectl(
        Changes::Cluster,
        format!("defines Gateway API {bundle}, which {who} was built with"),
        &["apply", "--server-side", "-f", &url],
    );
    let some = definitions.iter().any(|d| d.spec.group == GATEWAY_GROUP);
    let apply = if some {
        apply.hazard(
            "it replaces definitions that are there: one with a stored version that the bundle drops is refused, and one \
             that is newer goes back",
        )
    } else {
        apply
    };
    let target = controller.target();
    finding
        .step(apply)
        .step(Step::kubectl(
            Changes::Cluster,
            "it looks for the definitions only at its start",
            &["rollout", "restart", &target, "-n", controller.namespace()],
        ))
        .step(
            Step::decide(format!(
                "let your cloud-config in /oem write {url} itself into /var/lib/rancher/k3s/server/manifests/, pinned to \
                 this version, in place of fetching it at the first boot"
            ))
            .for_good(),
        )
}

/// k3s' chart of definitions has those of Gateway API since it brings Traefik's chart 34 (k3s 1.32).
fn brings_gateway_api(chart: &HelmChart) -> bool {
    let file = chart.spec.chart.rsplit('/').next().unwrap_or_default();
    let major = file.strip_prefix("traefik-crd-").and_then(|rest| rest.split('.').next());
    major.and_then(|major| major.parse::<u64>().ok()).is_none_or(|major| major >= 34)
}

/// Definitions that k3s' chart `traefik-crd` wants to own and does not, or owns though Cilium serves them.
fn contested(
    definitions: &[CustomResourceDefinition],
    chart: &HelmChart,
    cilium: Option<&CiliumConfig>,
) -> Option<Finding> {
    const RELEASE: &str = "meta.helm.sh/release-name";
    let ours: Vec<&CustomResourceDefinition> =
        definitions.iter().filter(|d| d.spec.group == GATEWAY_GROUP).collect();
    let name = &*chart.metadata.name;
    let foreign: Vec<&CustomResourceDefinition> = ours
        .iter()
        .copied()
        .filter(|definition| definition.metadata.annotation(RELEASE) != Some(name))
        .filter(|definition| STANDARD.iter().any(|plural| definition.spec.names.plural == **plural))
        .collect();
    let namespace = chart.metadata.namespace.as_deref().unwrap_or_default();
    let job = format!("helm-install-{name}");
    let finding = |says: String| {
        Finding::new(chart, says)
            .shows(chart, "spec.chart")
            .verify_kubectl(&["get", "job", &job, "-n", namespace], "COMPLETIONS shows 1/1")
    };
    let leave = || {
        Step::decide(
            "have one owner: add traefik to k3s' disable list, so that the definitions stay as you applied them, or take \
             your own out and let k3s bring them",
        )
        .hazard(
            "disabling it uninstalls Traefik and its definitions; those without the annotation helm.sh/resource-policy: keep \
             go, and every Gateway and route with them",
        )
    };
    if let Some(first) = foreign.first()
        && !chart.spec.take_ownership
    {
        let mut finding = finding(format!("HelmChart {name} cannot install Gateway API: others own its definitions"))
            .discriminator("ownership")
            .predicted()
            .because("Helm takes over no object that lacks its release's label and annotations; the job fails and starts anew.")
            .shows(*first, &format!("metadata.annotations['{RELEASE}']"));
        for definition in &foreign[1..] {
            finding = finding.relates(*definition);
        }
        let owned = foreign.iter().any(|d| d.metadata.annotation(RELEASE).is_some());
        if cilium.is_some() || owned {
            return Some(finding.step(leave()));
        }
        let names: Vec<&str> = foreign.iter().map(|definition| &*definition.metadata.name).collect();
        let with = |verb: &'static str, values: &[&str]| {
            let mut args = vec![verb, "crd"];
            args.extend(&names);
            args.extend(values);
            args.push("--overwrite");
            Step::kubectl(Changes::Cluster, "lets the chart take these definitions over", &args)
        };
        let release = format!("{RELEASE}={name}");
        let of = format!("meta.helm.sh/release-namespace={}", chart.release_namespace());
        let take = json!({"spec": {"takeOwnership": true}});
        return Some(
            finding
                .step(
                    with("label", &["app.kubernetes.io/managed-by=Helm"])
                        .hazard("from then on k3s sets their version: it may be older than the one you applied"),
                )
                .step(with("annotate", &[&release, &of]))
                .step(
                    Step::decide(format!(
                        "take the file that applies them out of your cloud-config in /oem, or every boot applies them anew \
                         (k3s writes HelmChart {name} itself: {take} in it does not last)"
                    ))
                    .for_good(),
                ),
        );
    }
    let owned = ours.iter().find(|definition| definition.metadata.annotation(RELEASE) == Some(name))?;
    let config = cilium?;
    Some(
        finding(format!("HelmChart {name} owns the Gateway API that Cilium serves"))
            .discriminator("shared")
            .severity(Severity::Warning)
            .because("The next upgrade of k3s changes the definitions to the version that its Traefik wants.")
            .shows(*owned, &format!("metadata.annotations['{RELEASE}']"))
            .shows(*owned, "metadata.annotations['gateway.networking.k8s.io/bundle-version']")
            .shows(config, "data.enable-gateway-api")
            .step(leave()),
    )
}
