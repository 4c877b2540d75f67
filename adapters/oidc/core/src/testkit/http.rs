//! HTTP as the scripted provider sees it, in memory and over TCP.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The most octets that one request may have, and that an endless answer has before it ends after all.
const MAX_REQUEST: usize = 1 << 20;
const ENDLESS: usize = 1 << 30;

/// A request, of a browser or of the bridge.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub method: String,
    /// Without scheme and host.
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    /// A request of the bridge, from what it handed to its egress.
    pub fn of(method: &str, url: &str, headers: &[(String, String)], body: &str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let target = rest.find('/').map_or("/", |at| &rest[at..]);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.to_vec(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Parameters of query and form, in order.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let body = if self.method == "POST" { self.body.as_str() } else { "" };
        [self.query.as_str(), body].into_iter().flat_map(|text| parameters(text.as_bytes())).collect()
    }
}

/// The parameters of a query or a form, in order, duplicates kept.
pub fn parameters(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// The value of a parameter that comes once or more.
pub fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// `user:password` of a Basic header (RFC 6749 section 2.3.1: each part is form-encoded).
pub fn basic(authorization: Option<&str>) -> Option<(String, String)> {
    let octets = STANDARD.decode(authorization?.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(octets).ok()?;
    let (user, password) = text.split_once(':')?;
    let plain = |text: &str| parameters(format!("x={text}").as_bytes()).pop().map(|(_, value)| value);
    Some((plain(user)?, plain(password)?))
}

/// What goes over the wire.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    pub status: u16,
    pub content_type: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub manner: Manner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Whole,
    /// An octet now and then, without end.
    Slow,
    /// The connection ends in the middle of the body.
    Cut,
    /// The body, and then a gigabyte of blanks.
    Endless,
    /// No answer at all: the connection ends.
    Dead,
}

impl HttpAnswer {
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::of(status, "application/json", value.to_string())
    }

    pub fn of(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type: Some(content_type.to_owned()),
            headers: vec![("cache-control".into(), "no-store".into())],
            body: body.into(),
            manner: Manner::Whole,
        }
    }

    pub fn redirect(location: &str) -> Self {
        let mut answer = Self::of(303, "text/plain", "");
        answer.headers.push(("location".into(), location.to_owned()));
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Serves until the guard is dropped.
pub struct Running {
    pub port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers requests on a listener. Each connection carries one request.
///
/// # Errors
/// The listener has no address.
pub fn serve(
    listener: TcpListener,
    answer: impl Fn(&Asked) -> HttpAnswer + Send + Sync + 'static,
) -> std::io::Result<Running> {
    let port = listener.local_addr()?.port();
    let answer = Arc::new(answer);
    let task = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                if let Ok(asked) = read(&mut socket).await {
                    let answered = answer(&asked);
                    // Whoever asked may be gone: that is part of some scripts.
                    let _ = write(&mut socket, &answered).await;
                }
            });
        }
    });
    Ok(Running { port, task })
}

async fn read(socket: &mut TcpStream) -> std::io::Result<Asked> {
    let bad = || std::io::Error::other("not a request");
    let mut octets = Vec::new();
    let end = loop {
        if let Some(at) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if octets.len() > MAX_REQUEST || socket.read_buf(&mut octets).await? == 0 {
            return Err(bad());
        }
    };
    let head = String::from_utf8_lossy(&octets[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().ok_or_else(bad)?.split(' ');
    let (method, target) = (first.next().ok_or_else(bad)?, first.next().ok_or_else(bad)?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut asked = Asked::of(method, &format!("http://op{target}"), &headers, "");
    let length = asked.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    while octets.len() < end + 4 + length {
        if length > MAX_REQUEST || socket.read_buf(&mut octets).await? == 0 {
            return Err(bad());
        }
    }
    asked.body = String::from_utf8_lossy(&octets[end + 4..end + 4 + length]).into_owned();
    Ok(asked)
}

async fn write(socket: &mut TcpStream, answer: &HttpAnswer) -> std::io::Result<()> {
    let HttpAnswer { status, content_type, headers, body, manner } = answer;
    if *manner == Manner::Dead {
        return Ok(());
    }
    let mut head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\n");
    if let Some(content_type) = content_type {
        head.push_str(&format!("content-type: {content_type}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = match manner {
        Manner::Endless => body.len() + ENDLESS,
        Manner::Cut | Manner::Slow => body.len().max(1) * 2,
        Manner::Whole | Manner::Dead => body.len(),
    };
    head.push_str(&format!("content-length: {length}\r\n\r\n"));
    socket.write_all(head.as_bytes()).await?;
    match manner {
        Manner::Slow => {
            for octet in body.iter().chain(std::iter::repeat(&b' ')) {
                tokio::time::sleep(Duration::from_millis(500)).await;
                socket.write_all(&[*octet]).await?;
            }
        }
        Manner::Endless => {
            socket.write_all(body).await?;
            let blanks = vec![b' '; 1 << 16];
            for _ in 0..ENDLESS / blanks.len() {
                socket.write_all(&blanks).await?;
            }
        }
        Manner::Whole | Manner::Cut | Manner::Dead => socket.write_all(body).await?,
    }
    socket.shutdown().await
}
