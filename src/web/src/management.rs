//! The management listener: `/livez`, `/readyz` and `/metrics`, on an address of its own.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// What the management listener tells.
pub struct Management {
    /// Asked at each `/readyz`, so it must be quick.
    pub ready: Box<dyn Fn() -> Readiness + Send + Sync>,
    /// The metrics in Prometheus' text format.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// With the cause in a few words, free of secrets.
    NotReady(String),
}

/// Serves the bound listener until `shutdown` is ready.
///
/// # Errors
/// When the listener can't be handed to the worker.
pub async fn serve_management(
    listener: TcpListener,
    management: Management,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    start(listener, management, shutdown)?.await
}

fn start(
    listener: TcpListener,
    management: Management,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Server> {
    let management = Arc::new(management);
    let server = HttpServer::new(move || {
        let management = Arc::clone(&management);
        App::new().default_service(web::to(move |request: HttpRequest| {
            let answer = answer(&management, &request);
            async move { answer }
        }))
    })
    .workers(1)
    .shutdown_timeout(2)
    .client_request_timeout(Duration::from_secs(5))
    .shutdown_signal(shutdown)
    .listen(listener)?;
    Ok(server.run())
}

fn answer(management: &Management, request: &HttpRequest) -> HttpResponse {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(405, TEXT, "Only GET works here.\n".into());
    }
    match request.path() {
        "/livez" => text(200, TEXT, "alive\n".into()),
        "/readyz" => match (management.ready)() {
            Readiness::Ready => text(200, TEXT, "ready\n".into()),
            Readiness::NotReady(cause) => text(503, TEXT, format!("not ready: {cause}\n")),
        },
        "/metrics" => text(200, "text/plain; version=0.0.4; charset=utf-8", (management.metrics)()),
        _ => text(404, TEXT, "Here are /livez, /readyz and /metrics.\n".into()),
    }
}

fn text(status: u16, content_type: &'static str, body: String) -> HttpResponse {
    let mut response = crate::reply::bare(status, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == 405 {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
