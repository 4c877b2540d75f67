//! The way from a server to its database by way of this process: it can be cut without that any
//! connection ends, which is what a network does that loses packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::bridge::Setup;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Nothing,
    /// Connections that listen for messages, and no other. They stay so, as if forgotten on the way; new ones
    /// are good when the line is mended.
    Listeners,
    All,
}

#[derive(Clone)]
pub struct Line {
    pub url: String,
    cut: Arc<AtomicU8>,
}

impl Line {
    /// A line to a database. Octets that come while it is cut are kept, and go on when it is mended.
    pub fn to(database: &str) -> Self {
        let mut url = Url::parse(database).unwrap();
        let there = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let cut = Arc::new(AtomicU8::new(Cut::Nothing as u8));
        let flag = Arc::clone(&cut);
        tokio::spawn(async move {
            loop {
                let (here, _) = listener.accept().await.unwrap();
                let (there, cut) = (there.clone(), Arc::clone(&flag));
                tokio::spawn(async move {
                    let Ok(there) = TcpStream::connect(there).await else { return };
                    let (here, there) = (in_two(here), in_two(there));
                    let way = Way { cut, listens: AtomicBool::new(false), forgotten: AtomicBool::new(false) };
                    tokio::join!(way.carry(here.0, there.1), way.carry(there.0, here.1));
                });
            }
        });
        Self { url: url.to_string(), cut }
    }

    /// Lets a server that is not started yet use this line.
    pub fn serve(&self, setup: &mut Setup) {
        setup.set("FEDBRIDGE_DATABASE_URL", &self.url);
    }

    pub fn cut(&self, what: Cut) {
        self.cut.store(what as u8, Ordering::SeqCst);
    }
}

fn in_two(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    stream.set_nodelay(true).unwrap();
    stream.into_split()
}

/// One connection.
struct Way {
    cut: Arc<AtomicU8>,
    listens: AtomicBool,
    forgotten: AtomicBool,
}

impl Way {
    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut octets = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut octets).await {
            if octets[..count].windows(6).any(|part| part == b"LISTEN") {
                self.listens.store(true, Ordering::SeqCst);
            }
            while self.is_cut() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if to.write_all(&octets[..count]).await.is_err() {
                break;
            }
        }
        // The other side learns of an end too, but not through a line that is cut.
        while self.is_cut() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let _ = to.shutdown().await;
    }

    fn is_cut(&self) -> bool {
        let cut = self.cut.load(Ordering::SeqCst);
        if cut == Cut::Listeners as u8 && self.listens.load(Ordering::SeqCst) {
            self.forgotten.store(true, Ordering::SeqCst);
        }
        cut == Cut::All as u8 || self.forgotten.load(Ordering::SeqCst)
    }
}
