//! When an annotation of a load balancer is misspelt, stands on the wrong object or has a value that does not parse, it does
//! nothing or stops everything, because HCCM ignores keys it does not know without a word, reads them from the Service alone,
//! and gives up a Service at the first value that it cannot read (`internal/annotation/name.go`, `internal/hcops`).

use super::misplaced;
use crate::domain::hccm::{self, Ccm, Var};
use crate::domain::lb_annotations::{self as list, Known as Row, PREFIX, Reads};
use crate::domain::{owner, sync_error};
use crate::facts::kubernetes::{Event, Gateway, IngressObject, Service};
use crate::facts::{Facts, Kind, Known};
use crate::remedies::service_annotation::{Change, apply};
use crate::{Check, Finding, Severity, Step, Verdict};

pub const CHECK: Check = Check {
    code: "KD309",
    slug: "load-balancer-annotations",
    title: "load balancer annotations are ones the controller reads",
    examines: "LoadBalancer Services",
    severity: Severity::Error,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        owner::NEEDS[0],
        owner::NEEDS[1],
        owner::NEEDS[2],
        &Service::NEED,
        &Event::NEED,
        &IngressObject::NEED,
    ],
    caused_by: &[],
    explain: include_str!("load_balancer_annotations.md"),
    judge,
};

/// Whether a finding is about an annotation that was meant to be one of these, and that nobody reads.
pub fn means(finding: &Finding, wanted: &[&str]) -> bool {
    finding.discriminator != Some("value") && is_about(finding, wanted)
}

/// Whether a finding is about an annotation that is, or was meant to be, one of these.
pub fn is_about(finding: &Finding, wanted: &[&str]) -> bool {
    finding.evidence.iter().any(|evidence| {
        let key =
            evidence.path.strip_prefix("metadata.annotations['").and_then(|rest| rest.strip_suffix("']"));
        let suffix = key.and_then(|key| key.strip_prefix(PREFIX)).unwrap_or_default();
        wanted.contains(&suffix) || list::meant(suffix).is_some_and(|meant| wanted.contains(&meant))
    })
}

/// The controller gives up the Service because of it.
pub fn aborts(finding: &Finding) -> bool {
    finding.discriminator == Some("value") && finding.severity == Some(Severity::Error)
}

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    for service in ccm.services(facts)? {
        v.examined += 1;
        let own: Vec<(&str, &str)> =
            of_prefix(service.metadata.annotations.0.iter().map(|(k, v)| (&**k, &**v)));
        let unread: Vec<Unread> =
            own.iter().filter_map(|(suffix, value)| Unread::of(&ccm, suffix, value)).collect();
        if !unread.is_empty() {
            let finding = tell_unread(facts, &ccm, service, &unread, v);
            v.findings.push(finding);
        }
        let faults: Vec<Fault> =
            own.iter().filter_map(|(suffix, value)| Fault::of(&ccm, service, suffix, value)).collect();
        if !faults.is_empty() {
            let finding = tell_faults(facts, service, &faults, v);
            v.findings.push(finding);
        }
    }
    if let Some(gateways) = v.see(facts.all::<Gateway>()) {
        misplaced::on_gateways(facts, &ccm, gateways, v)?;
    }
    if let Some(ingresses) = v.see(facts.all::<IngressObject>()) {
        misplaced::on_ingresses(facts, &ccm, ingresses, v)?;
    }
    Ok(())
}

/// The annotations of a load balancer, without their prefix.
pub(super) fn of_prefix<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    all.filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value))).collect()
}

/// An annotation that does nothing.
struct Unread<'a> {
    suffix: &'a str,
    value: &'a str,
    meant: Option<&'static str>,
    why: String,
    /// A newer controller than this list may know it.
    newer: bool,
}

impl<'a> Unread<'a> {
    fn of(ccm: &Ccm, suffix: &'a str, value: &'a str) -> Option<Unread<'a>> {
        let meant = list::meant(suffix);
        let (why, newer) = match list::find(suffix) {
            Some(Row { reads: Reads::Nothing, .. }) => {
                (format!("{suffix} is reserved, and nobody reads it."), false)
            }
            Some(row) => {
                let runs = ccm.release().filter(|runs| *runs < row.since)?;
                let since = version(row.since);
                (format!("{suffix} is read since {since}, and {} runs.", version(runs)), false)
            }
            None if suffix == "network" => {
                let why =
                    "There is no annotation network: the network is the controller's own, HCLOUD_NETWORK.";
                (why.into(), false)
            }
            None => match meant {
                Some(meant) => (format!("{suffix} is called {meant}."), false),
                None => {
                    // an image without a version may be newer than the list
                    let newer = ccm.release().is_none_or(|runs| runs > list::NEWEST);
                    (format!("{suffix} is unknown to {}.", version(list::NEWEST)), newer)
                }
            },
        };
        let meant = if list::find(suffix).is_some() { None } else { meant };
        Some(Unread { suffix, value, meant, why, newer })
    }
}

fn version((major, minor, patch): (u64, u64, u64)) -> String {
    format!("v{major}.{minor}.{patch}")
}

fn tell_unread(facts: &Facts, ccm: &Ccm, service: &Service, unread: &[Unread], v: &mut Verdict) -> Finding {
    let path = service.reference().path();
    let newer = unread.iter().all(|one| one.newer);
    let says = match unread {
        [one] if newer => format!("Service {path}: the doctor does not know its annotation {}", one.suffix),
        [one] => format!("Service {path}: nobody reads its annotation {}", one.suffix),
        several => format!("Service {path}: nobody reads {} of its load balancer annotations", several.len()),
    };
    let why: Vec<&str> = unread.iter().map(|one| &*one.why).collect();
    let mut finding = Finding::new(service, says)
        .discriminator("unread")
        .severity(if newer { Severity::Info } else { Severity::Warning })
        .because(format!("The controller ignores what it does not know. {}", why.join(" ")));
    for one in unread {
        finding = finding.shows(service, &format!("metadata.annotations['{PREFIX}{}']", one.suffix));
    }
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let args = ["describe", "service", &*service.metadata.name, "-n", namespace];
    finding = finding.verify_kubectl(&args, "the annotations are ones of the controller's list");
    if newer {
        let runs = ccm.version().unwrap_or("the controller that runs");
        let what = format!(
            "look the annotation up in the documentation of {runs}: this list is of {}",
            version(list::NEWEST)
        );
        return finding.step(Step::decide(what));
    }
    let mut change = Change { why: "writes what was meant".into(), ..Change::default() };
    for one in unread.iter().filter(|one| !one.newer && list::find(one.suffix).is_none()) {
        change.remove.push(format!("{PREFIX}{}", one.suffix));
        if let Some(meant) = one.meant
            && service.annotation(meant).is_none()
        {
            change.set.push((format!("{PREFIX}{meant}"), one.value.into()));
        }
    }
    if unread.iter().any(|one| list::find(one.suffix).is_some()) {
        finding = finding.step(Step::decide("take out what nobody reads, or run a controller that reads it"));
    }
    if change.remove.is_empty() {
        return finding;
    }
    if change.set.is_empty() {
        change.why = "takes away what nobody reads".into();
    } else {
        change.hazard = Some("it did nothing so far, and takes effect at once".into());
    }
    apply(finding, facts, service, &change, v)
}

/// A value that the controller cannot read, or reads as something else.
struct Fault<'a> {
    suffix: &'a str,
    value: &'a str,
    why: String,
    right: Option<String>,
    aborts: bool,
}

impl<'a> Fault<'a> {
    fn of(ccm: &Ccm, service: &Service, suffix: &'a str, value: &'a str) -> Option<Fault<'a>> {
        let row = list::find(suffix)?;
        if ccm.release().is_some_and(|runs| runs < row.since) {
            return None; // not read at all
        }
        let word = value.trim().to_lowercase();
        let one_of = |words: &[&str]| words.contains(&&*value.to_lowercase());
        let (reads, wants) = match row.reads {
            Reads::Bool => (list::is_bool(value), "true or false"),
            Reads::Duration => (list::is_duration(value), "a number with its unit, as 15s"),
            Reads::Int => (list::is_int(value), "a whole number"),
            Reads::Ip => (list::is_ip(value), "an IP address"),
            Reads::Cidr => (list::is_cidr(value), "a range, as 10.0.1.0/24"),
            Reads::Protocol => (one_of(&["tcp", "http", "https"]), "tcp, http or https"),
            Reads::Algorithm => {
                (one_of(&["round_robin", "least_connections"]), "round_robin or least_connections")
            }
            Reads::Selector => (list::is_selector(value), "a label selector, as a=b,c in (d,e)"),
            // the only one that is compared as it is written: all but `managed` is uploaded
            Reads::CertificateType => (
                value == "managed" || word == "uploaded" && value.trim() == value,
                "managed or uploaded, in lower case",
            ),
            Reads::Text | Reads::Nothing => return None,
        };
        if reads {
            return None;
        }
        let right = match row.reads {
            Reads::Bool => match &*word {
                "yes" | "on" | "enabled" | "true" => Some("true".into()),
                "no" | "off" | "disabled" | "false" => Some("false".into()),
                _ => None,
            },
            Reads::Duration => list::is_int(&word).then(|| format!("{word}s")),
            Reads::Int if list::is_int(&word) => Some(word.clone()),
            Reads::Ip if list::is_ip(&word) => Some(word.clone()),
            Reads::Cidr if list::is_cidr(&word) => Some(word.clone()),
            Reads::Protocol if ["tcp", "http", "https"].contains(&&*word) => Some(word.clone()),
            Reads::Algorithm => match &*word.replace(['-', ' '], "_") {
                right @ ("round_robin" | "least_connections") => Some(right.into()),
                _ => None,
            },
            Reads::CertificateType if ["managed", "uploaded"].contains(&&*word) => Some(word.clone()),
            _ => None,
        };
        let aborts = match suffix {
            "certificate-type" => false,
            // read only where there is a network, and only to put the load balancer into it
            "private-ipv4" => !matches!(ccm.var("HCLOUD_NETWORK"), Var::Unset | Var::Is("")),
            "private-subnet-ip-range" => {
                !matches!(ccm.var("HCLOUD_NETWORK"), Var::Unset | Var::Is("")) && !service.has_ingress()
            }
            "ipv6-disabled" => !ccm
                .is_on(service, "disable-public-network", "HCLOUD_LOAD_BALANCERS_DISABLE_PUBLIC_NETWORK")
                .unwrap_or(false),
            "health-check-http-validate-certificate" => {
                let protocol = service.annotation("health-check-protocol").or(service.annotation("protocol"));
                protocol.is_some_and(|protocol| !protocol.eq_ignore_ascii_case("tcp"))
            }
            _ => true,
        };
        let why = if suffix == "certificate-type" {
            format!("{suffix} is {wants}: everything else counts as uploaded.")
        } else {
            format!("{suffix} is {wants}.")
        };
        Some(Fault { suffix, value, why, right, aborts })
    }
}

fn tell_faults(facts: &Facts, service: &Service, faults: &[Fault], v: &mut Verdict) -> Finding {
    let path = service.reference().path();
    let aborts = faults.iter().any(|fault| fault.aborts);
    let says = match faults {
        [one] => {
            let value: String = one.value.chars().take(16).collect();
            format!("Service {path}: the controller cannot read {} `{value}`", one.suffix)
        }
        several => format!("Service {path}: the controller cannot read {} of its annotations", several.len()),
    };
    let what = if aborts {
        "It gives up this Service at the first value that it cannot read, and changes nothing of its load balancer."
    } else {
        "It goes on without it."
    };
    let why: Vec<&str> = faults.iter().map(|fault| &*fault.why).collect();
    let mut finding = Finding::new(service, says)
        .discriminator("value")
        .severity(if aborts { Severity::Error } else { Severity::Warning })
        .because(format!("{what} {}", why.join(" ")));
    for fault in faults {
        finding = finding.shows(service, &format!("metadata.annotations['{PREFIX}{}']", fault.suffix));
    }
    if aborts {
        let event = v.see(sync_error::last(facts, service)).flatten();
        finding = match event.filter(|e| sync_error::claimed(&e.message) == Some(CHECK.code)) {
            Some(event) => finding.shows_at(event, "message", event.last_seen()),
            None => finding.predicted(),
        };
    }
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let args = ["describe", "service", &*service.metadata.name, "-n", namespace];
    finding = finding.verify_kubectl(&args, "the newest event is EnsuredLoadBalancer");
    let mut change = Change { why: "writes it as the controller reads it".into(), ..Change::default() };
    for fault in faults {
        match &fault.right {
            Some(right) => change.set.push((format!("{PREFIX}{}", fault.suffix), right.clone())),
            None => {
                let value = format!(
                    "give {PREFIX}{} another value: {}",
                    fault.suffix,
                    fault.why.trim_end_matches('.')
                );
                finding = finding.step(Step::decide(value));
            }
        }
    }
    if change.set.is_empty() { finding } else { apply(finding, facts, service, &change, v) }
}
