//! `pods/log`: the API server dials the kubelet for it, and says in Go's words what went wrong.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{ApiServer, status};
use crate::http::{Answer, Ask};

/// Go's limit for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The options that are passed on to the kubelet, in the order of Go's encoder.
const PASSED_ON: &[&str] =
    &["limitBytes", "previous", "sinceSeconds", "sinceTime", "tailLines", "timestamps"];

/// An answer that was recorded.
struct Recorded<'a> {
    status: i64,
    reason: &'a str,
    message: &'a str,
}

impl ApiServer {
    pub async fn log(&self, pod: &Value, ask: &Ask) -> Answer {
        self.log_of(pod, ask).await.unwrap_or_else(|refusal| *refusal)
    }

    async fn log_of(&self, pod: &Value, ask: &Ask) -> Result<Answer, Box<Answer>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
        let number = |key: &str| match ask.parameter(key) {
            Some(value) => value.parse::<i64>().map(Some).map_err(|_| {
                let message = format!("strconv.ParseInt: parsing \"{value}\": invalid syntax");
                Box::new(status::bad_request(&message))
            }),
            None => Ok(None),
        };
        let (limit, tail) = (number("limitBytes")?, number("tailLines")?);
        check_options(&name, tail, limit)?;
        let container = container(pod, &name, ask.parameter("container").filter(|c| !c.is_empty()))?;
        let node = text(&pod["spec"]["nodeName"]);
        if node.is_empty() {
            // a pod without a node has no log, and no place to ask
            return Ok(Answer::new(204, "", Vec::new()));
        }
        let nodes = self.world.items("", "nodes");
        // the registry of pods looks up the node, so its refusal speaks of pods
        let Some(node) = nodes.iter().find(|n| n["metadata"]["name"] == node.as_str()) else {
            return Err(Box::new(status::not_found("", "pods", &node)));
        };
        if let Some(recorded) = self.recorded(&namespace, &name, ask).filter(Recorded::is_kept) {
            return Ok(recorded.replay(&name));
        }
        let addresses = node["status"]["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_type = |kind: &str| addresses.iter().find(|a| a["type"] == kind).map(|a| text(&a["address"]));
        let Some(host) = ["InternalIP", "ExternalIP", "Hostname"].iter().find_map(|kind| of_type(kind))
        else {
            let known = json!(addresses).to_string();
            let message = format!("no preferred addresses found; known addresses: {known}");
            return Err(Box::new(status::failure(500, None, None, &message)));
        };
        let path = format!("/containerLogs/{namespace}/{name}/{container}{}", passed_on(ask));
        let port = self.kubelets.port;
        match self.dial(&host, port, &path).await {
            Ok((200, log)) => Ok(Answer::new(200, "text/plain", log)),
            // the kubelet's own words
            Ok((400, why)) => Err(Box::new(status::bad_request(&String::from_utf8_lossy(&why)))),
            Ok((code, _)) => {
                let message = format!(
                    "an error on the server (\"unknown\") has prevented the request ( pods/log {name})"
                );
                Err(Box::new(status::failure(code, Some("InternalError"), None, &message)))
            }
            Err(why) => {
                let message = format!("Get \"https://{host}:{port}{path}\": {why}");
                Err(Box::new(status::failure(500, None, None, &message)))
            }
        }
    }

    /// What was answered when the cluster was recorded: to a request for lines, or to one for a byte.
    fn recorded(&self, namespace: &str, pod: &str, ask: &Ask) -> Option<Recorded<'_>> {
        let is_on = |name: &str| ask.parameter(name).is_some_and(|value| value == "true");
        if is_on("timestamps") {
            let log = self.shared.logs.recorded(namespace, pod, is_on("previous"))?;
            return Some(Recorded { status: log.status, reason: &log.reason, message: &log.message });
        }
        let mut probes = self.world.log_probes.iter();
        let probe = probes.find(|probe| probe.namespace == *namespace && probe.pod == *pod)?;
        Some(Recorded { status: probe.status, reason: &probe.reason, message: &probe.message })
    }

    /// Status and body of the kubelet's answer. Errors: what Go's client says.
    async fn dial(&self, host: &str, port: u16, path: &str) -> Result<(u16, Vec<u8>), String> {
        let Ok(ip) = host.parse::<IpAddr>() else {
            // names are not looked up: nothing here dials beyond this machine
            return Err(format!("dial tcp: lookup {host} on 127.0.0.53:53: no such host"));
        };
        if self.kubelets.silent.contains(&ip) {
            return Err("net/http: TLS handshake timeout".into());
        }
        match timeout(HANDSHAKE, self.get(ip, port, path)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("net/http: TLS handshake timeout".into()),
        }
    }

    async fn get(&self, ip: IpAddr, port: u16, path: &str) -> Result<(u16, Vec<u8>), String> {
        let to = SocketAddr::new(ip, port);
        let own = |e: io::Error| format!("dial tcp {to}: {e}");
        let socket = TcpSocket::new_v4().map_err(own)?;
        socket.bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).map_err(own)?;
        let from = socket.local_addr().map_err(own)?;
        self.shared.will_dial_from(from);
        let stream = socket.connect(to).await.map_err(|e| match e.kind() {
            io::ErrorKind::ConnectionRefused => format!("dial tcp {to}: connect: connection refused"),
            _ => own(e),
        });
        if stream.is_err() {
            self.shared.was_dialed_from(from);
        }
        let stream = stream?;
        let (config, judge) = self.kubelet_ca.client()?;
        match TlsConnector::from(Arc::new(config)).connect(ip.into(), stream).await {
            Ok(mut stream) => {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
                let mut answer = Vec::new();
                let asked = async {
                    stream.write_all(request.as_bytes()).await?;
                    stream.read_to_end(&mut answer).await
                };
                asked.await.map_err(|e| transport(&e, from, to))?;
                match answer.windows(4).position(|end| end == b"\r\n\r\n") {
                    Some(end) => {
                        let body = answer.split_off(end + 4);
                        let head = String::from_utf8_lossy(&answer);
                        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
                        Ok((code.unwrap_or(500), body))
                    }
                    // of a connection that ends, Go says the same during the handshake and after it
                    None => Err("EOF".into()),
                }
            }
            Err(e) => Err(match judge.objection() {
                Some(objection) => format!("tls: failed to verify certificate: {objection}"),
                None => transport(&e, from, to),
            }),
        }
    }
}

/// The options for the kubelet, as a query.
fn passed_on(ask: &Ask) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for key in PASSED_ON {
        if let Some(value) = ask.parameter(key) {
            query.append_pair(key, &value);
        }
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

fn transport(e: &io::Error, from: SocketAddr, to: SocketAddr) -> String {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => "EOF".into(),
        io::ErrorKind::ConnectionReset => format!("read tcp {from}->{to}: read: connection reset by peer"),
        // the one kubelet of the simulator that speaks no TLS answers in HTTP
        io::ErrorKind::InvalidData => "http: server gave HTTP response to HTTPS client".into(),
        _ => e.to_string(),
    }
}

impl Recorded<'_> {
    /// No dial of the simulator can give that answer: it is a proxy's, or the kubelet's own.
    fn is_kept(&self) -> bool {
        let dialled = ["tls: failed to verify certificate", "dial tcp", "TLS handshake timeout"];
        self.status > 200
            && self.status != 403
            && !self.message.is_empty()
            && !dialled.iter().any(|text| self.message.contains(text))
    }

    fn replay(&self, pod: &str) -> Answer {
        let reason = (!self.reason.is_empty()).then_some(self.reason);
        let details = (self.status == 404).then(|| json!({"name": pod, "kind": "pods/log"}));
        let code = u16::try_from(self.status).unwrap_or(500);
        status::failure(code, reason, details, self.message)
    }
}

/// The container that is meant, or the refusal.
fn container(pod: &Value, name: &str, asked: Option<String>) -> Result<String, Box<Answer>> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let names: Vec<&str> = containers.filter_map(|c| c["name"].as_str()).collect();
    let bad = |message: String| Err(Box::new(status::bad_request(&message)));
    match asked {
        Some(asked) if names.contains(&asked.as_str()) => Ok(asked),
        Some(asked) => bad(format!("container {asked} is not valid for pod {name}")),
        None => match names.as_slice() {
            [only] => Ok((*only).into()),
            many => bad(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                many.join(" ")
            )),
        },
    }
}

fn check_options(pod: &str, tail: Option<i64>, limit: Option<i64>) -> Result<(), Box<Answer>> {
    let mut wrong = Vec::new();
    if let Some(tail) = tail.filter(|tail| *tail < 0) {
        wrong.push(("tailLines", format!("Invalid value: {tail}: must be greater than or equal to 0")));
    }
    if let Some(limit) = limit.filter(|limit| *limit < 1) {
        wrong.push(("limitBytes", format!("Invalid value: {limit}: must be greater than 0")));
    }
    let texts: Vec<String> = wrong.iter().map(|(field, text)| format!("{field}: {text}")).collect();
    let said = match texts.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    };
    let causes: Vec<Value> = wrong
        .iter()
        .map(|(field, text)| json!({"reason": "FieldValueInvalid", "message": text, "field": field}))
        .collect();
    let details = json!({"name": pod, "kind": "PodLogOptions", "causes": causes});
    let message = format!("PodLogOptions \"{pod}\" is invalid: {said}");
    Err(Box::new(status::failure(422, Some("Invalid"), Some(details), &message)))
}
