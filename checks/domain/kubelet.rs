//! What the API server's answer to a request for a pod's log says about its way to the kubelet.
//!
//! Sources: kubernetes `pkg/registry/core/pod/rest/log.go`, apiserver `pkg/registry/generic/rest/response_checker.go` and
//! `pkg/endpoints/handlers/responsewriters/status.go`: a failed dial is a 500 without a reason, whose message begins with
//! `Get "https://`; whatever the kubelet itself answers carries a reason.

use crate::domain::k3s;
use crate::facts::kubelet::LogProbe;
use crate::facts::kubernetes::Node;
use crate::facts::{Gap, Kind, Why};

/// The types of addresses at which a kubelet is dialled.
pub const TYPES: [&str; 2] = ["InternalIP", "ExternalIP"];

/// The types of addresses in the order in which the API server prefers them: what it is told, else `InternalIP,ExternalIP`,
/// or the reverse with `--flannel-external-ip`.
pub fn preferred(nodes: &[Node]) -> Vec<&'static str> {
    let told = nodes.iter().flat_map(|n| k3s::arg_values(n, "kube-apiserver-arg"));
    let mut told =
        told.filter_map(|arg| Some(arg.strip_prefix("kubelet-preferred-address-types=")?.to_string()));
    if let Some(told) = told.next_back() {
        return told.split(',').filter_map(|t| TYPES.into_iter().find(|known| *known == t.trim())).collect();
    }
    match nodes.iter().any(|n| k3s::arg(n, "flannel-external-ip").is_some_and(|on| on != "false")) {
        true => TYPES.into_iter().rev().collect(),
        false => TYPES.to_vec(),
    }
}

pub enum Words<'a> {
    /// Something came back from the kubelet: the certificate passed.
    KubeletAnswered,
    /// `x509: certificate is valid for <have>, not <want>`: of an address Go lists the IP names only. `have` is empty
    /// where there are none: `x509: cannot validate certificate for <want> because it doesn't contain any IP SANs`.
    NotCovered { have: &'a str, want: &'a str },
    /// It shows nothing about the certificate, and why.
    Nothing(Gap),
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
        let mut gap = failure.gap(&LogProbe::NEED, &probe.node);
        gap.detail = format!("asked for a pod's log: {}", failure.detail).into();
        return Words::Nothing(gap);
    }
    let why = refusal(probe.status, message);
    let said = if message.is_empty() { "nothing that tells" } else { message };
    let detail = format!("asked for a pod's log, the API server answered {}: {said}", probe.status);
    Words::Nothing(Gap::new(LogProbe::NEED.key, why, detail).of(probe.node.clone()))
}

/// What an answer without a log means. A connection that ends is `EOF` to Go, during the handshake and after it: it clears
/// no certificate.
pub(super) fn refusal(status: i64, message: &str) -> Why {
    match status {
        401 | 403 => Why::Forbidden,
        _ if message.ends_with("net/http: TLS handshake timeout") => Why::TimedOut,
        _ if UNREACHED.iter().any(|text| message.starts_with(text)) => Why::Unreachable,
        _ => Why::Malformed,
    }
}

/// How a message begins when the API server did not get through to the kubelet.
const UNREACHED: &[&str] = &["Get \"https://", "proxy error from ", "no preferred addresses found"];

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

#[cfg(test)]
mod tests {
    use super::*;

    /// As kube-apiserver 1.35 words it.
    fn said(status: i64, reason: &str, why: &str) -> LogProbe {
        let url = "https://127.0.0.13:10250/containerLogs/kube-system/p/c?limitBytes=1&tailLines=1";
        let message = if status == 500 { format!("Get \"{url}\": {why}") } else { why.into() };
        LogProbe {
            node: "k3".into(),
            status,
            reason: reason.into(),
            message: message.into(),
            ..LogProbe::default()
        }
    }

    #[test]
    fn a_dial_that_failed_clears_no_certificate_and_says_why() {
        for (why, expected) in [
            ("EOF", Why::Unreachable),
            ("read tcp 127.0.0.1:50890->127.0.0.13:10250: read: connection reset by peer", Why::Unreachable),
            ("dial tcp 127.0.0.13:10250: connect: connection refused", Why::Unreachable),
            ("http: server gave HTTP response to HTTPS client", Why::Unreachable),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                Why::Unreachable,
            ),
            ("net/http: TLS handshake timeout", Why::TimedOut),
        ] {
            let Words::Nothing(gap) = words(&said(500, "", why)) else { panic!("{why}: it shows nothing") };
            assert_eq!((gap.why, gap.item.as_deref()), (expected, Some("k3")), "{why}");
            assert!(gap.remedy().contains("kubectl logs"), "{}", gap.remedy());
        }
    }

    #[test]
    fn what_the_kubelet_answers_clears_its_certificate() {
        let refused = "the server has asked for the client to provide credentials ( pods/log p)";
        assert!(matches!(words(&said(401, "Unauthorized", refused)), Words::KubeletAnswered));
        assert!(matches!(words(&said(200, "", "")), Words::KubeletAnswered));
        assert!(
            matches!(words(&said(401, "Unauthorized", "Unauthorized")), Words::Nothing(gap) if gap.why == Why::Forbidden)
        );
    }
}
