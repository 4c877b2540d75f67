//! A connection to an LDAP server whose every octet is the test's. It blocks.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod};
use url::Url;

use super::wire::{self, Answer, Entry, Outcome, Scope, tag};

/// A server that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(60);

const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";

pub struct Client {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    next: i32,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Client {
    /// `ldap://` in clear, or `ldaps://`, whose certificate must be of this CA.
    pub fn open(url: &str, ca: &Path) -> Result<Self> {
        let url = Url::parse(url).map_err(invalid)?;
        let stream = connect(&url)?;
        match url.scheme() {
            "ldaps" => Ok(Self::over(encrypted(stream, &url, ca)?)),
            _ => Ok(Self::over(stream)),
        }
    }

    /// StartTLS at an `ldap://` address.
    pub fn start_tls(url: &str, ca: &Path) -> Result<Self> {
        let url = Url::parse(url).map_err(invalid)?;
        let stream = connect(&url)?;
        let mut clear = Self::over(stream.try_clone()?);
        let outcome = clear.ask(&wire::extended(START_TLS))?;
        if outcome.code != 0 {
            return Err(Error::other(format!("StartTLS: {outcome:?}")));
        }
        Ok(Self::over(encrypted(stream, &url, ca)?))
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), read: Vec::new(), next: 1 }
    }

    /// Sends an operation, and gives its number.
    pub fn send(&mut self, operation: &[u8]) -> Result<i32> {
        let id = self.next;
        self.next += 1;
        self.send_octets(&wire::message(id, operation))?;
        Ok(id)
    }

    pub fn send_octets(&mut self, octets: &[u8]) -> Result<()> {
        self.stream.write_all(octets)?;
        self.stream.flush()
    }

    /// The next message, whatever it answers.
    pub fn receive(&mut self) -> Result<Answer> {
        loop {
            if let Some(length) = wire::length_of_first(&self.read).filter(|length| *length <= self.read.len()) {
                let octets: Vec<_> = self.read.drain(..length).collect();
                return Answer::read(&octets).ok_or_else(|| invalid("no LDAP message"));
            }
            let mut chunk = [0; 16 * 1024];
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.read.extend_from_slice(&chunk[..count]);
        }
    }

    /// Asks for something that has one answer.
    pub fn ask(&mut self, operation: &[u8]) -> Result<Outcome> {
        let id = self.send(operation)?;
        let answer = self.receive()?;
        if answer.id != id {
            return Err(invalid(format!("an answer to {id} was due: {answer:?}")));
        }
        answer.outcome().ok_or_else(|| invalid("no result"))
    }

    pub fn bind(&mut self, dn: &str, password: &str) -> Result<Outcome> {
        self.ask(&wire::bind(dn, password))
    }

    pub fn compare(&mut self, dn: &str, attribute: &str, value: &str) -> Result<Outcome> {
        self.ask(&wire::compare(dn, attribute, value.as_bytes()))
    }

    /// The authorization identity, empty for nobody.
    pub fn who_am_i(&mut self) -> Result<String> {
        let id = self.send(&wire::extended(WHO_AM_I))?;
        let answer = self.receive()?;
        if answer.id != id || answer.tag != tag::EXTENDED_DONE {
            return Err(invalid(format!("{answer:?}")));
        }
        let value = wire::Elements(&answer.content).find(|(tag, _)| *tag == 0x8b);
        Ok(value.map(|(_, octets)| String::from_utf8_lossy(octets).into_owned()).unwrap_or_default())
    }

    pub fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &[u8],
        attributes: &[&str],
    ) -> Result<(Vec<Entry>, Outcome)> {
        let id = self.send(&wire::search(base, scope, filter, attributes))?;
        let mut entries = Vec::new();
        loop {
            let answer = self.receive()?;
            if answer.id != id {
                return Err(invalid(format!("an answer to {id} was due: {answer:?}")));
            }
            match answer.tag {
                tag::ENTRY => entries.push(answer.entry().ok_or_else(|| invalid("no entry"))?),
                tag::SEARCH_DONE => return Ok((entries, answer.outcome().ok_or_else(|| invalid("no result"))?)),
                // A reference.
                _ => {}
            }
        }
    }

    /// The one entry at a DN.
    pub fn entry(&mut self, dn: &str, attributes: &[&str]) -> Result<Option<Entry>> {
        let (entries, _) = self.search(dn, Scope::Base, &wire::present("objectClass"), attributes)?;
        Ok(entries.into_iter().next())
    }
}

fn connect(url: &Url) -> Result<TcpStream> {
    let port = url.port().unwrap_or(if url.scheme() == "ldaps" { 636 } else { 389 });
    let stream = TcpStream::connect((url.host_str().unwrap_or_default(), port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    Ok(stream)
}

fn encrypted(stream: TcpStream, url: &Url, ca: &Path) -> Result<impl Stream + 'static> {
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_ca_file(ca)?;
    connector
        .build()
        .connect(url.host_str().unwrap_or_default(), stream)
        .map_err(|error| Error::other(error.to_string()))
}

fn invalid(error: impl ToString) -> Error {
    Error::new(ErrorKind::InvalidData, error.to_string())
}
