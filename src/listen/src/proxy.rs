//! The PROXY protocol, version 2: a proxy says in front of everything for whom it speaks.
//!
//! Source: HAProxy's `proxy-protocol.txt`, section 2.2. Version 1, in text, is not read: it can't be told apart from
//! data that a client made.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header that is read: addresses, and room for extensions, which mean nothing here.
const LONGEST: usize = 1024;

/// Reads the header, and nothing behind it. `None`: the proxy speaks for itself (a health check), or for a kind of
/// client that has no address.
///
/// # Errors
/// When there is none, or it breaks off.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut head = [0; 16];
    stream.read_exact(&mut head).await?;
    let [command, family] = match head.strip_prefix(&SIGNATURE) {
        Some([command, family, ..]) => [*command, *family],
        _ => return Err(wrong("a trusted proxy sent no PROXY header of version 2")),
    };
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if length > LONGEST {
        return Err(wrong("the PROXY header is too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match command {
        0x20 => Ok(None),
        0x21 => source(family, &rest),
        _ => Err(wrong("the PROXY header is of another version, or has an unknown command")),
    }
}

/// The source address of TCP over IPv4 or IPv6.
fn source(family: u8, rest: &[u8]) -> io::Result<Option<SocketAddr>> {
    let short = || wrong("the PROXY header is too short for its addresses");
    match family {
        0x11 => {
            let block: &[u8; 12] = rest.first_chunk().ok_or_else(short)?;
            let [a, b, c, d, .., high, low, _, _] = *block;
            Ok(Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low]))))
        }
        0x21 => {
            let block: &[u8; 36] = rest.first_chunk().ok_or_else(short)?;
            let address: [u8; 16] = *block.first_chunk().ok_or_else(short)?;
            let [.., high, low, _, _] = *block;
            Ok(Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)), u16::from_be_bytes([high, low]))))
        }
        _ => Ok(None),
    }
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, block].concat()
    }

    async fn reading(octets: &[u8]) -> (io::Result<Option<SocketAddr>>, Vec<u8>) {
        let mut stream = octets;
        let read = read(&mut stream).await;
        (read, stream.to_vec())
    }

    #[tokio::test]
    async fn a_proxy_names_its_client_and_what_follows_stays() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xC3, 0x50, 0x01, 0x85];
        let with_extension = [&v4[..], &[0x04, 0, 1, 0]].concat();
        for block in [&v4[..], &with_extension] {
            let octets = [header(0x21, 0x11, block), b"data".to_vec()].concat();
            let (read, left) = reading(&octets).await;
            assert_eq!(read.unwrap(), Some("192.0.2.7:50000".parse().unwrap()));
            assert_eq!(left, b"data");
        }
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 9;
        v6[33] = 80;
        let (read, _) = reading(&header(0x21, 0x21, &v6)).await;
        assert_eq!(read.unwrap(), Some("[2001::9]:80".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_proxy_may_speak_for_itself() {
        for (command, family) in [(0x20, 0x00), (0x20, 0x11), (0x21, 0x00), (0x21, 0x31)] {
            let (read, _) = reading(&header(command, family, &[0; 12])).await;
            assert_eq!(read.unwrap(), None, "{command:x} {family:x}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_no_header() {
        let mut other_signature = header(0x21, 0x11, &[0; 12]);
        other_signature[4] = b'x';
        let long = [&SIGNATURE[..], &[0x21, 0x11, 0xFF, 0xFF]].concat();
        let broken_off = header(0x21, 0x11, &[0; 12])[..20].to_vec();
        let cases = [
            b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n".to_vec(),
            other_signature,
            header(0x11, 0x11, &[0; 12]),
            header(0x22, 0x11, &[0; 12]),
            header(0x21, 0x11, &[0; 11]),
            header(0x21, 0x21, &[0; 35]),
            long,
            broken_off,
            Vec::new(),
        ];
        for octets in cases {
            assert!(reading(&octets).await.0.is_err(), "{octets:x?}");
        }
    }
}
