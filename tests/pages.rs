//! The pages in a real browser: axe-core's rules, the keyboard, a narrow phone, both languages, light and dark.

#[path = "../src/web/examples/pages/gallery.rs"]
mod gallery;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use fedbridge_contract::services::Rng;
use fedbridge_web::{Limits, Site, WebConfig, serve};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use url::Url;

use crate::support::REPOSITORY;

struct OpensslRng;

impl Rng for OpensslRng {
    fn fill(&self, buffer: &mut [u8]) {
        openssl::rand::rand_bytes(buffer).unwrap();
    }
}

/// What `axe.mjs` found on these pages of the gallery.
async fn faults(pages: &[String]) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let config = WebConfig {
        site: Site::new(&Url::parse(&base).unwrap(), Arc::new(OpensslRng)).unwrap(),
        tls: None,
        trusted_proxies: Vec::new(),
        workers: 1,
        limits: Limits::default(),
        observer: Arc::new(()),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let server = tokio::spawn(serve(config, listener, Arc::new(gallery::Gallery), shutdown));
    let mut command = Command::new("node");
    command.arg("axe.mjs").args(pages.iter().map(|page| format!("{base}/t/acme/{page}")));
    command.current_dir(Path::new(REPOSITORY).join("tests/peers/node"));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON; {errors}"));
    assert_eq!(found["looked"], 2 * pages.len(), "each page in light and dark");
    found["faults"].clone()
}

#[tokio::test]
async fn every_page_can_be_read_and_used_by_everybody() {
    // The page that posts itself is gone before anybody could look.
    let routes = gallery::ROUTES.iter().filter(|route| **route != "auto-post");
    let mut pages: Vec<_> = routes.map(|route| format!("{route}?lang=en")).collect();
    let translated =
        ["error", "chooser", "consent", "account", "confirm-link", "logged-out-partly", "logging-out", "signed-in"];
    pages.extend(translated.map(|route| format!("{route}?lang=de")));
    pages.extend(["consent", "account", "confirm-link", "chooser"].map(|route| format!("{route}?lang=de&look=brand")));
    assert_eq!(faults(&pages).await, json!([]));
}
