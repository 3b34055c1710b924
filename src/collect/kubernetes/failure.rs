//! What an error of the connection means, out of the chain of its causes.

use std::error::Error;
use std::io;

use kairos_doctor_checks::facts::Why;
use rustls::AlertDescription as Alert;

use crate::collect::budget::Trouble;
use crate::collect::certificate::brief;
use crate::collect::guard::Refused;
use crate::collect::plainly::{self, causes};

/// A request that got no answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// As in the fact `ApiServer`.
    pub outcome: &'static str,
    pub detail: String,
    /// Asking again may help.
    again: bool,
}

impl Failure {
    pub fn new(outcome: &'static str, detail: impl Into<String>) -> Failure {
        Failure { outcome, detail: detail.into(), again: false }
    }

    /// Judges the error of a request or of a body.
    pub fn of(error: &(dyn Error + 'static)) -> Failure {
        let chain = causes(error);
        let find =
            |judge: fn(&(dyn Error + 'static)) -> Option<Failure>| chain.iter().find_map(|e| judge(*e));
        find(by_guard)
            .or_else(|| find(by_tls))
            .or_else(|| chain.iter().rev().find_map(|e| by_io(*e)))
            .or_else(|| find(by_http))
            .unwrap_or_else(|| Failure::new("unreachable", root_cause(error)))
    }

    /// The same, of a body that had begun.
    pub fn in_body(mut self) -> Failure {
        if self.again {
            self.detail = "the connection was cut in the middle of the answer".into();
        }
        self
    }

    pub fn trouble(&self, asked: &str) -> Trouble {
        let why = match self.outcome {
            "timed-out" => Why::TimedOut,
            "client-certificate-expired" | "unauthorized" => Why::Forbidden,
            "malformed" => Why::Malformed,
            _ => Why::Unreachable,
        };
        let trouble = Trouble::new(why, format!("{asked}: {}", self.detail));
        if self.again { trouble.again() } else { trouble }
    }
}

/// What a connection is that was not there in time, until it is known how far it got.
pub(super) const NO_CONNECTION: &str = "no connection in time";

/// The words of the innermost cause, which are those that tell.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn by_guard(error: &(dyn Error + 'static)) -> Option<Failure> {
    error.downcast_ref::<Refused>().map(|refused| Failure::new("unreachable", refused.to_string()))
}

fn by_tls(error: &(dyn Error + 'static)) -> Option<Failure> {
    let error = error.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::AlertReceived(Alert::CertificateExpired) => {
            Failure::new("client-certificate-expired", error.to_string())
        }
        // The peer's word on what we presented.
        rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            // Signed by a namesake of the authority that it trusts.
            | Alert::DecryptError
            | Alert::CertificateRequired,
        ) => Failure::new("unauthorized", error.to_string()),
        rustls::Error::InvalidMessage(_) => {
            let words = plainly::tls(error, "").unwrap_or_else(|| "does not speak TLS".into());
            Failure::new("not-kubernetes", format!("what answers there {words}"))
        }
        _ => Failure::new("tls", plainly::tls(error, "the kubeconfig does not name").unwrap_or_else(|| brief(error))),
    })
}

fn by_io(error: &(dyn Error + 'static)) -> Option<Failure> {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable,
        NetworkUnreachable, TimedOut, UnexpectedEof,
    };
    let kind = error.downcast_ref::<io::Error>()?.kind();
    let said = |outcome, detail: &str| Some(Failure::new(outcome, detail));
    match kind {
        ConnectionRefused => said("refused", "the connection was refused"),
        TimedOut => said("timed-out", NO_CONNECTION),
        HostUnreachable | NetworkUnreachable => said("unreachable", "there is no route to it"),
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => {
            Some(Failure { again: true, ..Failure::new("unreachable", "the connection was cut") })
        }
        _ => None,
    }
}

fn by_http(error: &(dyn Error + 'static)) -> Option<Failure> {
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_parse() {
        return Some(Failure::new("not-kubernetes", "what answers there does not speak HTTP"));
    }
    let cut = error.is_incomplete_message() || error.is_closed();
    cut.then(|| Failure { again: true, ..Failure::new("unreachable", "the connection was cut") })
}
