//! When a cloud controller before v1.30.1 runs, it ends with a panic again and again, because it reads the `datacenter` of
//! servers, which the Hetzner API sends no more since 2026-07-01 (Hetzner's changelog; HCCM v1.30.1, hcloud-go's
//! `ServerFromSchema`). The chart is often not pinned, so the image of the running pod counts.

use jiff::Timestamp;

use crate::domain::hccm::{self, Ccm, container_of, image_tag, version_numbers};
use crate::domain::hccm_log::{Word, heard};
use crate::facts::controller_log::ControllerLog;
use crate::facts::kubernetes::{Deployment, Pod};
use crate::facts::{Facts, Gap, Kind, Known, Why};
use crate::remedies::controller;
use crate::{Check, Finding, Severity, Verdict};

pub const CHECK: Check = Check {
    code: "KD202",
    slug: "ccm-version",
    title: "the cloud controller's version works with today's Hetzner API",
    examines: "cloud controllers",
    severity: Severity::Critical,
    needs: &[
        hccm::NEEDS[0],
        hccm::NEEDS[1],
        hccm::NEEDS[2],
        controller::NEEDS[0],
        controller::NEEDS[1],
        controller::NEEDS[2],
        &ControllerLog::NEED,
    ],
    caused_by: &[],
    explain: include_str!("ccm_version.md"),
    judge,
};

/// The first version that does without `datacenter`.
const FIRST: (u64, u64, u64) = (1, 30, 1);

/// 2026-07-01, when the API stopped to send it.
const REMOVED: Timestamp = Timestamp::constant(1_782_864_000, 0);

fn judge(facts: &Facts, v: &mut Verdict) -> Known<()> {
    let Some(ccm) = Ccm::find(facts)? else { return Ok(()) };
    if facts.now < REMOVED {
        return Ok(());
    }
    v.examined += 1;
    let image = &ccm.container().image;
    let Some(release) = ccm.release() else {
        let detail = format!("the image {image} of the cloud controller does not tell its version");
        v.gaps.push(Gap::new(Pod::NEED.key, Why::NotRead, detail).of(ccm.reference().path()));
        return Ok(());
    };
    if release >= FIRST {
        return Ok(());
    }
    let workload = ccm.workload(facts)?;
    let version = ccm.version().unwrap_or_default();
    let says =
        format!("the cloud controller runs {version}, which panics at what the Hetzner API sends today");
    let mut finding = Finding::about(workload.clone(), says).because(
        "Since 2026-07-01 servers have no `datacenter`; versions before v1.30.1 read it all the same, and end.",
    );
    finding = ccm.shown_of_container(finding, "image");
    let name = &ccm.container().name;
    let restarts = ccm.pod().map_or(0, |pod| pod.restarts(name));
    if let Some(pod) = ccm.pod().filter(|_| restarts > 0) {
        finding = finding.shows(pod, &format!("status.containerStatuses[name={name}].restartCount"));
    }
    let said = v.see(heard(facts));
    v.gaps.extend(said.as_ref().and_then(|heard| heard.unread.clone()));
    let panic = said.iter().flat_map(|heard| &heard.said).find(|said| said.word == Word::Panic);
    if let Some(said) = panic {
        finding = finding.shows_at(said.log, &said.path(), said.line.time);
    }
    // One that has run for long without a restart was perhaps patched by who built the image.
    if restarts == 0 && panic.is_none() && (ccm.is_ready() || ccm.pod().is_none()) {
        finding = finding.predicted().severity(Severity::Error);
    }
    let deployments = facts.all::<Deployment>()?;
    let newer = deployments.iter().find(|deployment| {
        let container = container_of(&deployment.spec.template.spec);
        let release = container.and_then(|c| version_numbers(image_tag(&c.image)?));
        deployment.reference() == workload && release.is_some_and(|release| release >= FIRST)
    });
    let finding = match newer {
        Some(deployment) => {
            finding.says =
                format!("the cloud controller still runs {version}: the newer version is set, not live");
            let at = format!("spec.template.spec.containers[name={name}].image");
            v.advise(finding.shows(deployment, &at), |f| controller::make_live(f, facts, &ccm))
        }
        None => v.advise(finding, |f| controller::upgrade(f, facts, &ccm)),
    };
    v.findings.push(finding);
    Ok(())
}
