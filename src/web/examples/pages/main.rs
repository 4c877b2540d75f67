//! Serves every page with sample data on a loopback port, to look at them:
//! `cargo run -p fedbridge-web --example pages`, then open the printed addresses. `?lang=de` speaks German,
//! `?look=brand` wears a tenant's colours and logo.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod gallery;

use std::net::TcpListener;
use std::sync::Arc;

use fedbridge_contract::services::Rng;
use fedbridge_web::{Limits, Site, WebConfig, serve};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8099")?;
    for route in gallery::ROUTES {
        println!("http://127.0.0.1:8099/t/acme/{route}");
    }
    let config = WebConfig {
        site: Site::new(&url::Url::parse("http://127.0.0.1:8099").unwrap(), Arc::new(OpensslRng)).unwrap(),
        tls: None,
        trusted_proxies: Vec::new(),
        workers: 1,
        limits: Limits::default(),
        observer: Arc::new(()),
    };
    serve(config, listener, Arc::new(gallery::Gallery), std::future::pending()).await
}

struct OpensslRng;

impl Rng for OpensslRng {
    fn fill(&self, buffer: &mut [u8]) {
        openssl::rand::rand_bytes(buffer).unwrap();
    }
}
