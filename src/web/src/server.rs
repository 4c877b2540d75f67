//! The public listener.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};

use crate::dispatch::Dispatch;
use crate::observe::Observe;
use crate::peer::Network;
use crate::service::{Service, answer};
use crate::site::Site;
use crate::tls::Tls;

/// How the public listener serves.
pub struct WebConfig {
    pub site: Site,
    /// `None` serves plain http: on loopback, or behind a proxy that ends TLS.
    pub tls: Option<Tls>,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Threads that serve; 0 takes one for each core.
    pub workers: usize,
    pub limits: Limits,
    pub observer: Arc<dyn Observe>,
}

/// What one client may ask of the listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Octets of a request body; more answers 413.
    pub max_body: usize,
    /// Octets of path and query; more answers 414.
    pub max_target: usize,
    /// Octets of all header names and values; more answers 431.
    pub max_headers: usize,
    /// For the TLS handshake, and again for the head of the first request.
    pub head_timeout: Duration,
    /// For the whole body; later answers 408.
    pub body_timeout: Duration,
    /// How long a connection may wait for its next request. Longer than the 60 s of common proxies,
    /// so that it is the proxy that closes.
    pub keep_alive: Duration,
    /// How long a stop waits for answers under way.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 1024 * 1024,
            max_target: 32 * 1024,
            max_headers: 32 * 1024,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves the bound listener until `shutdown` is ready, then lets answers under way finish.
///
/// The caller binds, so that it knows the port and when the address is taken: from then on
/// clients wait in the backlog instead of being refused.
///
/// # Errors
/// When the listener can't be handed to the workers.
pub async fn serve(
    config: WebConfig,
    listener: TcpListener,
    dispatch: Arc<dyn Dispatch>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    start(config, listener, dispatch, shutdown)?.await
}

/// Not in `serve` itself: what it builds with can't move between threads, what it returns can.
fn start(
    config: WebConfig,
    listener: TcpListener,
    dispatch: Arc<dyn Dispatch>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Server> {
    let WebConfig { site, tls, trusted_proxies, workers, limits, observer } = config;
    let service = Arc::new(Service { site, limits, trusted_proxies, dispatch, observer });
    let server = HttpServer::new(move || {
        let service = Arc::clone(&service);
        App::new().default_service(web::to(move |request, payload| answer(Arc::clone(&service), request, payload)))
    })
    .workers(if workers == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { workers })
    .keep_alive(limits.keep_alive)
    .client_request_timeout(limits.head_timeout)
    .client_disconnect_timeout(Duration::from_secs(1))
    .tls_handshake_timeout(limits.head_timeout)
    .shutdown_timeout(limits.stop_timeout.as_secs())
    .shutdown_signal(shutdown);
    let server = match tls {
        Some(tls) => server.listen_openssl(listener, tls.into_builder())?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}
