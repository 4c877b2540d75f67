//! A receiver of pushed events on loopback (RFC 8935).

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::eventually;

pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// Whether it answers as if it was broken.
    down: bool,
    /// Turned away while it was down.
    refused: Vec<String>,
    got: Vec<Got>,
}

#[derive(Debug, Clone)]
pub struct Got {
    /// In lower case.
    pub head: String,
    pub token: String,
    pub at: Instant,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let of = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&of)));
            }
        });
        Self { url, state, serving }
    }

    pub fn down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }

    pub fn got(&self) -> Vec<Got> {
        self.state.lock().unwrap().got.clone()
    }

    pub fn refused(&self) -> Vec<String> {
        self.state.lock().unwrap().refused.clone()
    }

    /// Waits until it has so many.
    pub async fn has(&self, count: usize) -> Vec<Got> {
        eventually("the receiver is told", async || (self.got().len() >= count).then(|| self.got())).await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Requests of one connection, until it is closed.
async fn take(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut read = Vec::new();
    loop {
        let Some((head, rest)) = split(&read) else {
            if more(&mut stream, &mut read).await == 0 {
                return;
            }
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let length = length.unwrap_or(0);
        if read.len() - rest < length {
            if more(&mut stream, &mut read).await == 0 {
                return;
            }
            continue;
        }
        let token = String::from_utf8(read[rest..rest + length].to_vec()).unwrap();
        read.drain(..rest + length);
        let status = {
            let mut state = state.lock().unwrap();
            if state.down {
                state.refused.push(token);
                "503 Service Unavailable"
            } else {
                state.got.push(Got { head, token, at: Instant::now() });
                "202 Accepted"
            }
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> usize {
    let mut some = [0; 8192];
    let count = stream.read(&mut some).await.unwrap_or(0);
    read.extend_from_slice(&some[..count]);
    count
}

/// The head in lower case, and where the body begins.
fn split(read: &[u8]) -> Option<(String, usize)> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&read[..end]).to_lowercase(), end + 4))
}
