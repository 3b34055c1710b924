//! HTTPS: takes requests, notes them, lets faults strike, and sends what a site answers.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::body::{self, End, Payload};
use crate::fault::Fault;
use crate::options::Source;
use crate::paging;
use crate::shared::Shared;
use crate::socket::Counted;

/// Longest request body that is read; a read-only client sends none.
const LONGEST_BODY: usize = 64 * 1024;

/// One side of the simulator that answers requests.
pub(crate) trait Site: Send + Sync + 'static {
    const SOURCE: Source;
    fn answer(&self, ask: &Ask) -> impl Future<Output = Answer> + Send;
}

pub(crate) struct Ask {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
}

impl Ask {
    /// The last value of a query parameter, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).last()
    }

    /// Sets a query parameter, or takes it away.
    pub fn set_parameter(&mut self, name: &str, value: Option<&str>) {
        let pairs = form_urlencoded::parse(self.query.as_bytes()).filter(|(key, _)| key != name);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs);
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        self.query = query.finish();
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

#[derive(Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub content_type: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// The body compressed, once for all copies of this answer; `None` where it is made for one request.
    packed: Option<Arc<OnceLock<Bytes>>>,
}

impl Answer {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let body = Bytes::from(body.into());
        Answer { status, content_type: content_type.into(), headers: Vec::new(), body, packed: None }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Answer {
        Answer::new(status, "application/json", body.to_string())
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Answer {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// The same in another form.
    pub fn in_form(self, content_type: &str, body: Vec<u8>) -> Answer {
        Answer { content_type: content_type.into(), body: body.into(), packed: None, ..self }
    }

    /// The first half of it, as if that were all.
    fn half(mut self) -> Answer {
        self.body.truncate(self.body.len() / 2);
        self.packed = None;
        self
    }

    /// Copies of it share what compressing gives.
    pub fn packed_once(mut self) -> Answer {
        self.packed = Some(Arc::default());
        self
    }

    fn gzip(&self) -> Bytes {
        match &self.packed {
            Some(packed) => packed.get_or_init(|| gzip(&self.body)).clone(),
            None => gzip(&self.body),
        }
    }
}

/// Serves a site until the runtime ends.
pub(crate) async fn serve<S: Site>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    site: Arc<S>,
    shared: Arc<Shared>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, site, shared) = (acceptor.clone(), site.clone(), shared.clone());
        tokio::spawn(async move {
            let mut stream = Counted::new(stream, shared.log.clone(), S::SOURCE);
            let reset = stream.reset();
            match shared.faults.on_connect(S::SOURCE) {
                Some(Fault::Silent) => return hold(stream).await,
                Some(Fault::NotTls) => return plain_http(&mut stream).await,
                Some(_) => return reset.store(true, Relaxed),
                None => {}
            }
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| handle(request, &*site, &shared, &reset));
            // a client that goes away, or a fault that ends the connection, is no error of the simulator
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Keeps a connection open and says nothing.
pub(crate) async fn hold<T>(_kept: T) {
    pending::<()>().await;
}

/// Ends the connection without an answer.
#[derive(Debug)]
struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a fault ends the connection")
    }
}
impl std::error::Error for HungUp {}

async fn handle<S: Site>(
    request: Request<Incoming>,
    site: &S,
    shared: &Shared,
    reset: &AtomicBool,
) -> Result<Response<Payload>, HungUp> {
    let (head, body) = request.into_parts();
    let mut ask = Ask {
        method: head.method.to_string(),
        path: head.uri.path().to_string(),
        query: head.uri.query().unwrap_or_default().to_string(),
        headers: head.headers,
    };
    let number = shared.log.arrived(S::SOURCE, &ask.method, &ask.path, &ask.query);
    let received =
        Limited::new(body, LONGEST_BODY).collect().await.map_or(LONGEST_BODY, |all| all.to_bytes().len());
    shared.log.update(number, |request| request.received = received);

    let mut end = End::Complete;
    let answer = match shared.faults.strike(S::SOURCE, &ask.path) {
        None => site.answer(&ask).await,
        // a certificate is presented before anything is asked
        Some(Fault::Certificate(_)) => site.answer(&ask).await,
        Some(Fault::Silent | Fault::Stall) => match pending::<Infallible>().await {},
        Some(Fault::Refuse | Fault::Reset | Fault::NotTls) => {
            reset.store(true, Relaxed);
            return Err(HungUp);
        }
        Some(Fault::HangUp) => return Err(HungUp),
        Some(fault @ (Fault::Truncate | Fault::ResetBody | Fault::StallBody | Fault::Drip)) => {
            // set before the end, and no harm when the client ends it first
            reset.store(*fault == Fault::ResetBody, Relaxed);
            end = match fault {
                Fault::StallBody => End::Stall,
                Fault::Drip => End::Drip,
                _ => End::Break,
            };
            site.answer(&ask).await
        }
        Some(Fault::HalfJson) => site.answer(&ask).await.half(),
        Some(Fault::Nested) => Answer::new(200, "application/json", body::nested(&ask.path)),
        Some(fault @ (Fault::Endless | Fault::GzipBomb)) => return Ok(flood(fault)),
        Some(Fault::Typed(content_type)) => {
            Answer { content_type: (*content_type).into(), ..site.answer(&ask).await }
        }
        Some(Fault::Status { code, content_type, headers, body }) => {
            let answer = Answer::new(*code, content_type, body.clone());
            headers.iter().fold(answer, |answer, (name, value)| answer.with(name, value))
        }
        Some(Fault::Html502) => Answer::new(502, "text/html", HTML_502),
        Some(Fault::Pages(pages)) => paging::answer(*pages, &mut ask, site, &shared.pages).await,
    };
    shared.served(&answer.body);
    let response = response(answer, &ask, shared.gzip_from, end);
    let (status, sent) = (response.status().as_u16(), response.body().sent());
    shared.log.update(number, |request| (request.status, request.sent) = (status, sent));
    Ok(response)
}

/// More than anybody should take.
fn flood(fault: &Fault) -> Response<Payload> {
    let mut response =
        Response::new(if *fault == Fault::Endless { Payload::endless() } else { Payload::bomb() });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if *fault == Fault::GzipBomb {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

const HTML_502: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

fn response(answer: Answer, ask: &Ask, gzip_from: usize, end: End) -> Response<Payload> {
    let mut builder = Response::builder().status(answer.status);
    if !answer.content_type.is_empty() {
        builder = builder.header(CONTENT_TYPE, &answer.content_type);
    }
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    let mut body = answer.body.clone();
    let accepted = ask.headers.get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if accepted.contains("gzip") && !body.is_empty() && body.len() >= gzip_from {
        body = answer.gzip();
        builder = builder.header(CONTENT_ENCODING, "gzip").header(VARY, "Accept-Encoding");
    }
    let declared = body.len() as u64;
    if matches!(end, End::Break | End::Stall) {
        body.truncate(body.len() / 2);
    }
    // a fault may name a header that cannot be sent: then it goes out without any
    builder.body(Payload::new(body, declared, end)).unwrap_or_else(|_| {
        let mut bare = Response::new(Payload::new(Bytes::new(), 0, End::Complete));
        *bare.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        bare
    })
}

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish());
    packed.expect("memory takes every write").into()
}

/// What Go's HTTP server says to a TLS client.
pub(crate) async fn plain_http(stream: &mut Counted) {
    let mut hello = [0; 4096];
    let text = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n";
    // both fail only when the peer went away
    if stream.read(&mut hello).await.is_ok() {
        let _ = stream.write_all(text).await;
        let _ = stream.shutdown().await;
    }
}
