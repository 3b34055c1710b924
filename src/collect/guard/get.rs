//! The one kind of request there is.

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue};
use http::{Method, Request};
use kairos_doctor_checks::facts::{LogRead, Need, Origin, protobuf};
use kube::client::Body;

use super::Refused;
use super::template::{GROUPS, LARGEST_PAGE, escape, is_label, is_name, is_token};

const JSON: &str = "application/json";
/// As the parts of Kubernetes ask each other; JSON where something in between knows no better.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf,application/json";
/// Aggregated discovery where the server has it (Kubernetes 1.30), the plain list of groups otherwise.
const DISCOVERY: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;q=0.9";

/// How much of a log is asked for at most: its last lines, and of these so many bytes.
pub const LOG_LINES: usize = 200;
pub const LOG_BYTES: usize = 64 * 1024;

/// A `GET` that is on the list. It can be made from a need or for a log, and in no other way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    target: String,
    accept: &'static str,
}

/// Which page of a list.
#[derive(Clone, Copy, Debug)]
pub struct PageOf<'a> {
    /// How many objects at most.
    pub limit: usize,
    /// The token of the page before.
    pub after: Option<&'a str>,
}

impl PageOf<'_> {
    /// The first page, as large as pages are asked for.
    pub const FIRST: PageOf<'static> = PageOf { limit: LARGEST_PAGE, after: None };
}

impl Get {
    /// What a need asks of the Kubernetes API; `version` is one of the resource's, and is not looked at for a path that is
    /// no resource.
    ///
    /// # Errors
    /// When the need is none of the Kubernetes API, does not read that version, or the page is out of bounds.
    pub fn of(need: &Need, version: &str, page: PageOf<'_>) -> Result<Get, Refused> {
        let resource = match need.from {
            Origin::Kubernetes(resource) => resource,
            Origin::KubernetesPath(path) => return Ok(Get { target: path.into(), accept: JSON }),
            _ => return Err(Refused::new(format!("a request for `{}`", need.key))),
        };
        if !resource.versions.contains(&version) {
            return Err(Refused::new(format!("version `{version}` of {}", resource.plural)));
        }
        let path = resource.path(version);
        if resource.only.is_some() {
            return Ok(Get { target: path, accept: JSON });
        }
        if !(1..=LARGEST_PAGE).contains(&page.limit) {
            return Err(Refused::new(format!("a page of {}", page.limit)));
        }
        let mut target = format!("{path}?limit={}", page.limit);
        if let Some(selector) = resource.field_selector {
            target.push_str(&format!("&fieldSelector={}", escape(selector)));
        }
        if let Some(token) = page.after {
            if !is_token(token) {
                return Err(Refused::new("a `continue` token that is none"));
            }
            target.push_str(&format!("&continue={}", escape(token)));
        }
        let accept = if protobuf::reads(&resource) { PROTOBUF } else { JSON };
        Ok(Get { target, accept })
    }

    /// The groups, versions and resources that the API server serves.
    pub fn groups() -> Get {
        Get { target: GROUPS.into(), accept: DISCOVERY }
    }

    /// One byte of the last line of a container's log: enough for the API server to dial the kubelet.
    ///
    /// # Errors
    /// When the need asks for more or is no log, or pod and container have no names that Kubernetes would give.
    pub fn log(need: &Need, pod: &str, container: &str) -> Result<Get, Refused> {
        Get::of_log(need, LogRead::Byte, pod, container, "tailLines=1&limitBytes=1")
    }

    /// The last lines of a container's log, or with `previous` of the container before it, each with its time.
    ///
    /// # Errors
    /// When the need does not read lines, or pod and container have no names that Kubernetes would give.
    pub fn tail(need: &Need, pod: &str, container: &str, previous: bool) -> Result<Get, Refused> {
        let previous = if previous { "&previous=true" } else { "" };
        let query = format!("tailLines={LOG_LINES}&limitBytes={LOG_BYTES}&timestamps=true{previous}");
        Get::of_log(need, LogRead::Tail, pod, container, &query)
    }

    fn of_log(need: &Need, how: LogRead, pod: &str, container: &str, query: &str) -> Result<Get, Refused> {
        let namespace = match need.from {
            Origin::PodLogs { namespace, read } if read == how => namespace,
            _ => return Err(Refused::new(format!("a log for `{}`", need.key))),
        };
        if !is_name(pod) || !is_label(container) {
            return Err(Refused::new("a log of a pod or container without a proper name"));
        }
        let target = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&{query}");
        Ok(Get { target, accept: "application/json, */*" })
    }

    /// Path and query, as they stand in the request line.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path alone, for sentences.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(in crate::collect) fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.target.parse().expect("a target of plain characters");
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(self.accept));
        // As `arriving.rs` unpacks it.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        request
    }
}
