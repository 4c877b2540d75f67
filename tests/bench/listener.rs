//! The leanest HTTP/1.1 server that will do, for providers that the bench plays itself: a thread for each
//! keep-alive connection. Its CPU is the load's.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context as _, bail};

/// It takes no new connections after it was dropped.
pub struct Listener {
    pub address: SocketAddr,
    over: Arc<AtomicBool>,
}

/// One request, as far as a provider reads it.
pub struct Asked<'a> {
    /// Without the query.
    pub path: &'a str,
    /// Where it came to: `http://host:port`.
    pub origin: &'a str,
    /// The value of `authorization`; empty without one.
    pub authorization: &'a str,
    pub body: &'a str,
}

impl Listener {
    /// Answers with the JSON that `answer` gives. `None`: this request is never answered.
    pub fn start(answer: impl Fn(&Asked<'_>) -> Option<String> + Send + Sync + 'static) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, over) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let (ended, answer) = (Arc::clone(&over), Arc::new(answer));
        let origin: Arc<str> = format!("http://{address}").into();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (answer, origin) = (Arc::clone(&answer), Arc::clone(&origin));
                // An error is a client that went away; the load notices if it was not to.
                thread::spawn(move || talk(stream, &origin, &*answer));
            }
        });
        Ok(Self { address, over })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Somebody comes, so that the thread sees it.
        let _ = TcpStream::connect(self.address);
    }
}

fn talk(mut stream: TcpStream, origin: &str, answer: &impl Fn(&Asked<'_>) -> Option<String>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        buffer.clear();
        let Some(head) = read_head(&mut stream, &mut buffer)? else { return Ok(()) };
        let text = std::str::from_utf8(&buffer[..head])?.to_owned();
        let length = field(&text, "content-length").map_or(Ok(0), str::parse)?;
        read_to(&mut stream, &mut buffer, head + length)?;
        let target = text.split(' ').nth(1).context("a request has no target")?;
        let path = target.split('?').next().unwrap_or_default();
        let authorization = field(&text, "authorization").unwrap_or_default();
        let body = std::str::from_utf8(&buffer[head..])?;
        let Some(json) = answer(&Asked { path, origin, authorization, body }) else {
            // Until the client gives up.
            while stream.read(&mut [0; 1024])? > 0 {}
            return Ok(());
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: max-age=3600\r\n\
             content-length: {}\r\n\r\n{json}",
            json.len()
        );
        stream.write_all(answer.as_bytes())?;
    }
}

/// The length of a request's head; `None` at the end of the connection.
fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<Option<usize>> {
    loop {
        if let Some(at) = buffer.windows(4).position(|octets| octets == b"\r\n\r\n") {
            return Ok(Some(at + 4));
        }
        if !read_more(stream, buffer)? {
            return Ok(None);
        }
    }
}

fn read_to(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> anyhow::Result<()> {
    while buffer.len() < length {
        if !read_more(stream, buffer)? {
            bail!("a request was cut off");
        }
    }
    Ok(())
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<bool> {
    let mut part = [0; 8 * 1024];
    let read = stream.read(&mut part)?;
    buffer.extend_from_slice(&part[..read]);
    Ok(read > 0)
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let of = |line: &'a str| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name));
    head.lines().skip(1).find_map(of).map(|(_, value)| value.trim())
}
