//! From a request to its answer.

#[cfg(feature = "control-keep-request")]
mod control;
mod download;
mod upload;

pub use download::{Answer, Download};
pub use upload::Upload;

use crate::account::Account;
use crate::client::Activity;
use crate::counts::Counts;
use crate::exchange::Exchange;
use crate::headers::Allowed;
use crate::patience::Patience;
use crate::refusal::Refusal;
use crate::routes::{Routes, Way};
use crate::rules::{self, Breach};
use crate::stop::Step;
use crate::upstream::{Lease, Upstream};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::http::{request, response};
use hyper::{Method, Request, Response, Uri, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;
use vitrine_attest::config::{Gateway, Limits, METHODS};

/// Everything that requests share.
#[derive(Debug)]
pub struct Service {
    routes: Routes,
    upstreams: Vec<Arc<Upstream>>,
    request: Allowed,
    response: Allowed,
    pub limits: Limits,
    requests: Arc<Semaphore>,
    pub counts: Arc<Counts>,
}

impl Service {
    /// # Errors
    /// A fixed code for a configuration that cannot be used.
    pub fn new(gateway: &Gateway) -> Step<Self> {
        let connect = gateway.limits.connect.duration();
        let upstreams = gateway.upstreams.values().map(|upstream| Upstream::new(upstream, connect).map(Arc::new));
        Ok(Self {
            routes: Routes::new(gateway)?,
            upstreams: upstreams.collect::<Step<_>>()?,
            request: Allowed::new(&gateway.headers.request)?,
            response: Allowed::new(&gateway.headers.response)?,
            limits: gateway.limits.clone(),
            requests: Arc::new(Semaphore::new(gateway.limits.requests as usize)),
            counts: Arc::new(Counts::new(gateway.upstreams.keys().cloned())),
        })
    }

    /// The same for another thread: it shares counts and limits, and has connections to the upstreams of its own.
    pub fn beside(&self) -> Self {
        Self {
            routes: self.routes.clone(),
            upstreams: self.upstreams.iter().map(|upstream| Arc::new(upstream.beside())).collect(),
            request: self.request.clone(),
            response: self.response.clone(),
            limits: self.limits.clone(),
            requests: self.requests.clone(),
            counts: self.counts.clone(),
        }
    }

    /// Whether a request is being answered.
    pub fn busy(&self) -> bool {
        self.requests.available_permits() < self.limits.requests as usize
    }

    /// Closes connections to upstreams that nobody needs any more.
    pub fn sweep(&self) {
        self.upstreams.iter().for_each(|upstream| upstream.sweep());
    }

    /// Answers one request; an answer there is always.
    pub async fn answer(&self, request: Request<Incoming>, activity: &Arc<Activity>) -> Response<Answer> {
        let exchange = Arc::new(Exchange::new(&self.limits));
        let mut account = Account::open(&self.counts, activity, &exchange);
        // over HTTP/2 there is no such header (RFC 9113 §8.2.2)
        let closes = request.version() == Version::HTTP_11;
        let head = *request.method() == Method::HEAD;
        match self.forward(request, &exchange, &mut account).await {
            Ok((response, lease, patience)) => {
                account.answered();
                let (parts, body) = response.into_parts();
                let response = self.answered(&parts, head);
                account.upstream_said(parts.status);
                let download = Download::new(body, lease, patience, exchange, account);
                response.map(|()| Answer::Passed(Box::new(download)))
            }
            Err(refusal) => {
                account.outcome = refusal.outcome();
                refusal.response(closes && refusal.closes()).map(Answer::Fixed)
            }
        }
    }

    async fn forward(
        &self,
        request: Request<Incoming>,
        exchange: &Arc<Exchange>,
        account: &mut Account,
    ) -> Result<(Response<Incoming>, Lease, Patience), Refusal> {
        let (parts, body) = request.into_parts();
        #[cfg(feature = "control-keep-request")]
        control::keep(&parts);
        let upstream = self.route(&parts, body.is_end_stream(), account)?;
        account.holds(self.requests.clone().try_acquire_owned().map_err(|_| Refusal::Overload)?);
        let body = self.body(&parts, body, exchange)?;
        let request = self.written(&parts, upstream, body);
        upstream.send(request, exchange).await
    }

    /// The upstream for a request that keeps the rules.
    fn route(&self, parts: &request::Parts, bare: bool, account: &mut Account) -> Result<&Arc<Upstream>, Refusal> {
        if let Some(refusal) = Refusal::of_stand_in(parts.method.as_str(), parts.uri.path()) {
            return Err(refusal);
        }
        if !METHODS.contains(&parts.method.as_str()) {
            return Err(Refusal::Method);
        }
        rules::check(parts, bare).map_err(|breach| match breach {
            Breach::Malformed => Refusal::Malformed,
            Breach::Expectation => Refusal::Expectation,
        })?;
        match self.routes.find(parts.uri.path(), &parts.method) {
            Way::Nowhere => Err(Refusal::NotFound),
            Way::To(number) => {
                account.upstream = Some(number);
                Ok(&self.upstreams[number])
            }
            Way::NotSo(number) => {
                account.upstream = Some(number);
                Err(Refusal::Method)
            }
        }
    }

    fn body(&self, parts: &request::Parts, body: Incoming, exchange: &Arc<Exchange>) -> Result<Upload, Refusal> {
        let most = if self.limits.body == 0 { u64::MAX } else { self.limits.body };
        match rules::length(&parts.headers) {
            Some(length) if length > most => Err(Refusal::BodyTooLarge),
            _ => Ok(Upload::new(body, most, exchange.clone())),
        }
    }

    /// The request that the upstream gets: method, path and query as they came, allowed headers, its own name.
    fn written(&self, parts: &request::Parts, upstream: &Upstream, body: Upload) -> Request<Upload> {
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
        *request.headers_mut() = self.request.pass(&parts.headers);
        request.headers_mut().insert(HOST, upstream.host.clone());
        request
    }

    /// Status and allowed headers of the upstream's answer.
    fn answered(&self, parts: &response::Parts, head: bool) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = parts.status;
        *response.headers_mut() = self.response.pass(&parts.headers);
        // hyper counts what it sends; here that is nothing, and the number is of what a GET would get
        if head {
            response
                .headers_mut()
                .extend(parts.headers.get(CONTENT_LENGTH).cloned().map(|length| (CONTENT_LENGTH, length)));
        }
        response
    }
}
