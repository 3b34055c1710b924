//! The guard as the outermost layer of the client: nothing gets around it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body as _;
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::check;
use crate::collect::budget::Meter;

/// Lets through what [`check`] lets through, and notes it.
#[derive(Clone)]
pub struct Guard {
    meter: Arc<Meter>,
}

impl Guard {
    pub fn new(meter: Arc<Meter>) -> Guard {
        Guard { meter }
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;
    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, meter: Arc::clone(&self.meter) }
    }
}

/// A service behind a [`Guard`].
pub struct Guarded<S> {
    inner: S,
    meter: Arc<Meter>,
}

impl<S, B> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (parts, body) = request.into_parts();
        if let Err(refused) = check(&parts, !body.is_end_stream()) {
            return Box::pin(async move { Err(BoxError::from(refused)) });
        }
        self.meter.request(format!("GET {}", parts.uri));
        Box::pin(self.inner.call(Request::from_parts(parts, body)))
    }
}
