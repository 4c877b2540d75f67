//! The leanest HTTP/1.1 client that will do: a keep-alive connection, requests as
//! finished octets, answers with a Content-Length.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

const PATIENCE: Duration = Duration::from_secs(20);

pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    /// The server said that it closes.
    closed: bool,
    buffer: Vec<u8>,
    waited: Duration,
}

/// One answer, until the next request.
pub struct Answer<'a> {
    pub status: u16,
    head: &'a str,
    pub body: &'a [u8],
}

impl Connection {
    pub fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = open(address)?;
        Ok(Self { address, stream, closed: false, buffer: vec![0; 64 * 1024], waited: Duration::ZERO })
    }

    /// Sends a request and reads its answer whole.
    pub fn call(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        let start = Instant::now();
        if self.closed {
            self.stream = open(self.address)?;
        }
        self.stream.write_all(request)?;
        let (head, total) = self.read_answer()?;
        self.waited += start.elapsed();
        let head_text = std::str::from_utf8(&self.buffer[..head]).context("the head of an answer is not UTF-8")?;
        self.closed = head_text.starts_with("HTTP/1.0") || field(head_text, "connection") == Some("close");
        let status = head_text.get(9..12).and_then(|digits| digits.parse().ok()).context("an answer has no status")?;
        Ok(Answer { status, head: head_text, body: &self.buffer[head..total] })
    }

    /// Time spent waiting for answers since this was last asked.
    pub fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// Counts time that was taken before as waited again.
    pub fn add_waited(&mut self, waited: Duration) {
        self.waited += waited;
    }

    /// The lengths of the head and of the whole answer.
    fn read_answer(&mut self) -> anyhow::Result<(usize, usize)> {
        let mut filled = 0;
        let mut head = None;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(2 * filled, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..])?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            let seen = filled.saturating_sub(3);
            filled += read;
            if head.is_none() {
                let end = self.buffer[seen..filled].windows(4).position(|octets| octets == b"\r\n\r\n");
                head = end.map(|at| seen + at + 4);
            }
            if let Some(head) = head {
                let total = head + content_length(&self.buffer[..head])?;
                if filled > total {
                    bail!("the server sent more than its answer");
                }
                if filled == total {
                    return Ok((head, total));
                }
            }
        }
    }
}

fn open(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    let text = std::str::from_utf8(head).context("the head of an answer is not UTF-8")?;
    // RFC 9110 section 8.6: this one never has the field.
    if text.get(9..12) == Some("204") {
        return Ok(0);
    }
    let value = field(text, "content-length").context("an answer has no Content-Length")?;
    value.parse().context("an answer's Content-Length is not a number")
}

fn fields<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    head.lines().skip(1).filter_map(move |line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn field<'a>(head: &'a str, name: &'a str) -> Option<&'a str> {
    fields(head, name).next()
}

impl<'a> Answer<'a> {
    /// The same answer, where it has this status.
    pub fn expect(self, status: u16) -> anyhow::Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(self.body);
        let start: String = body.chars().take(600).collect();
        let location = field(self.head, "location").unwrap_or_default();
        bail!("expected status {status}, got {}: {location} {start}", self.status)
    }

    pub fn location(&self) -> anyhow::Result<String> {
        field(self.head, "location").map(str::to_owned).context("the answer has no Location")
    }

    /// What a browser would send back: `name=value` of each cookie, joined.
    pub fn cookies(&self) -> String {
        let pairs = fields(self.head, "set-cookie").filter_map(|line| line.split(';').next());
        pairs.collect::<Vec<_>>().join("; ")
    }

    pub fn contains(&self, needle: &str) -> bool {
        self.body.windows(needle.len()).any(|octets| octets == needle.as_bytes())
    }
}

/// A GET; `fields` are whole lines, each with its line end.
pub fn get(host: &str, path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n").into_bytes()
}

/// A POST of a form.
pub fn post(host: &str, path: &str, fields: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n{fields}\r\n{body}",
        body.len()
    )
    .into_bytes()
}
