//! What the API server's answer to a request for a pod's log says about its way to the kubelet.
//!
//! Sources: kubernetes `pkg/registry/core/pod/rest/log.go`, apiserver `pkg/registry/generic/rest/response_checker.go` and
//! `pkg/endpoints/handlers/responsewriters/status.go`: a failed dial is a 500 without a reason, whose message begins with
//! `Get "https://`; whatever the kubelet itself answers carries a reason.

use crate::facts::kubelet::LogProbe;

pub enum Words<'a> {
    /// Something came back from the kubelet: the certificate passed.
    KubeletAnswered,
    /// `x509: certificate is valid for <have>, not <want>`: of an address Go lists the IP names only. `have` is empty
    /// where there are none: `x509: cannot validate certificate for <want> because it doesn't contain any IP SANs`.
    NotCovered { have: &'a str, want: &'a str },
    /// It shows nothing about the certificate.
    Nothing(String),
}

pub fn words(probe: &LogProbe) -> Words<'_> {
    let message = &*probe.message;
    if let Some((_, rest)) = message.split_once("x509: certificate is valid for ")
        && let Some((have, want)) = rest.split_once(", not ")
    {
        let end = want.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(want.len());
        return Words::NotCovered { have, want: &want[..end] };
    }
    if let Some((_, rest)) = message.split_once("x509: cannot validate certificate for ")
        && let Some((want, _)) = rest.split_once(" because it doesn't contain any IP SANs")
    {
        return Words::NotCovered { have: "", want };
    }
    let from_kubelet = match probe.status {
        200 => true,
        400 => KUBELET_400.iter().any(|text| message.contains(text)),
        404 => message.contains("( pods/log "),
        401 | 403 => message.contains("( pods/log "),
        500 => probe.reason == "InternalError",
        _ => false,
    };
    if from_kubelet {
        return Words::KubeletAnswered;
    }
    if let Some(failure) = &probe.failure {
        return Words::Nothing(format!("asked for a pod's log: {}", failure.detail));
    }
    let said = if message.is_empty() { "nothing that tells" } else { message };
    Words::Nothing(format!("asked for a pod's log, the API server answered {}: {said}", probe.status))
}

/// The parts of a message by which the kubelet's own refusals are known; the API server's stand before any dial.
const KUBELET_400: &[&str] = &[
    "is waiting to start",
    "trying and failing to pull image",
    "image can't be pulled",
    "is not available",
    "is terminated",
    "previous terminated container",
];

/// The part of an error message that may be kept: a message of a known pattern, never a line of a log.
pub fn known_message(message: &str) -> &str {
    let patterns =
        ["x509: ", "proxy error from ", "( pods/log ", "no preferred addresses found", "is forbidden"];
    let known = patterns.iter().chain(KUBELET_400).any(|pattern| message.contains(pattern));
    if known || message.starts_with("Get \"https://") { message } else { "" }
}
