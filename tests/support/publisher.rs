//! The address at which a partner publishes its metadata, for the bridge to fetch.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One document on a loopback port, with an entity tag.
pub struct Publisher {
    pub url: String,
    shelf: Arc<Mutex<Shelf>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Shelf {
    text: String,
    /// Answers with the text, and answers that it is as it was, since it was put here.
    given: usize,
    confirmed: usize,
}

impl Publisher {
    pub async fn start(text: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metadata", listener.local_addr().unwrap());
        let shelf = Arc::new(Mutex::new(Shelf { text, ..Shelf::default() }));
        let from = Arc::clone(&shelf);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&from)));
            }
        });
        Self { url, shelf, serving }
    }

    pub fn publish(&self, text: String) {
        *self.shelf.lock().unwrap() = Shelf { text, ..Shelf::default() };
    }

    /// How often the document of now was fetched.
    pub fn given(&self) -> usize {
        self.shelf.lock().unwrap().given
    }

    /// Waits until the bridge has the document in force: it then asks for it by its tag. What waits for
    /// approval is asked for without one.
    pub async fn taken(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.shelf.lock().unwrap().confirmed == 0 {
            assert!(Instant::now() < until, "the bridge does not take the document at {}", self.url);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Every node follows within a moment.
        tokio::time::sleep(Duration::from_millis(750)).await;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Answers one request, and closes.
async fn answer(mut stream: TcpStream, shelf: Arc<Mutex<Shelf>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => request.push(octet),
            Err(_) => return,
        }
    }
    let request = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let answer = {
        let mut shelf = shelf.lock().unwrap();
        let mut hasher = DefaultHasher::new();
        shelf.text.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        if request.contains(&format!("if-none-match: {tag}")) {
            shelf.confirmed += 1;
            format!("HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\nConnection: close\r\n\r\n")
        } else {
            shelf.given += 1;
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/samlmetadata+xml\r\nETag: {tag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                shelf.text.len(),
                shelf.text
            )
        }
    };
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
