//! Who is asking: the socket's peer, or what a trusted proxy says it is.

use std::net::IpAddr;
use std::str::FromStr;

use actix_web::http::header::{HeaderMap, HeaderName};

/// The most hops that are looked at, from the right.
const MAX_HOPS: usize = 32;

/// An address range in CIDR form, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a range like 10.0.0.0/8")]
pub struct BadNetwork(String);

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => leading_bits_match(&net.octets(), &ip.octets(), self.prefix),
            (IpAddr::V6(net), IpAddr::V6(ip)) => leading_bits_match(&net.octets(), &ip.octets(), self.prefix),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest { Err(bad()) } else { Ok(Self { address, prefix }) }
    }
}

fn leading_bits_match(net: &[u8], ip: &[u8], bits: u8) -> bool {
    let (whole, rest) = (usize::from(bits / 8), bits % 8);
    let mask = 0xff_u8.checked_shl(u32::from(8 - rest)).unwrap_or(0);
    net[..whole] == ip[..whole] && (rest == 0 || (net[whole] ^ ip[whole]) & mask == 0)
}

/// The right-most address that no trusted proxy has, or the socket's peer.
///
/// Each proxy appends the address that it saw, so reading from the right goes back hop by hop; the
/// first untrusted one is the last that somebody we trust has seen. What stands left of it is hearsay.
pub(crate) fn peer(socket: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let socket = socket.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if trusted.is_empty() || !is_trusted(socket) {
        return socket;
    }
    let name = HeaderName::from_static("x-forwarded-for");
    let lines: Vec<_> = headers.get_all(name).collect();
    let mut last = socket;
    let hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|b| *b == b','));
    for hop in hops.take(MAX_HOPS) {
        // A hop that can't be read ends the chain: what is left of it can't be trusted.
        let Some(address) = read_hop(hop) else { break };
        last = address;
        if !is_trusted(address) {
            break;
        }
    }
    last
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn read_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.parse::<std::net::SocketAddr>() {
            Ok(with_port) => with_port.ip(),
            Err(_) => text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn seen(socket: &str, trusted: &[&str], lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(line).unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        peer(socket.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn ignores_the_header_from_strangers() {
        assert_eq!(seen("203.0.113.9", &[], &["192.0.2.1"]), "203.0.113.9");
        assert_eq!(seen("203.0.113.9", &["10.0.0.0/8"], &["192.0.2.1"]), "203.0.113.9");
    }

    #[test]
    fn takes_the_rightmost_untrusted_address() {
        let proxies = ["10.0.0.0/8", "2001:db8:1::/48"];
        assert_eq!(seen("10.1.2.3", &proxies, &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(seen("10.1.2.3", &proxies, &["6.6.6.6, 192.0.2.1, 10.9.9.9"]), "192.0.2.1");
        assert_eq!(seen("10.1.2.3", &proxies, &["6.6.6.6", "192.0.2.1", "10.9.9.9"]), "192.0.2.1");
        assert_eq!(seen("10.1.2.3", &proxies, &["[2001:db8:2::7]:4711"]), "2001:db8:2::7");
        assert_eq!(seen("10.1.2.3", &proxies, &["192.0.2.1:99, 2001:db8:1::1"]), "192.0.2.1");
        assert_eq!(seen("::ffff:10.1.2.3", &proxies, &["::ffff:192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn stops_at_what_it_cannot_read() {
        assert_eq!(seen("10.1.2.3", &["10.0.0.0/8"], &["192.0.2.1, unknown, 10.4.4.4"]), "10.4.4.4");
        assert_eq!(seen("10.1.2.3", &["10.0.0.0/8"], &["192.0.2.1, "]), "10.1.2.3");
        assert_eq!(seen("10.1.2.3", &["10.0.0.0/8"], &[]), "10.1.2.3");
    }

    #[test]
    fn reads_networks() {
        let odd: Network = "192.0.2.64/26".parse().unwrap();
        assert!(odd.contains("192.0.2.127".parse().unwrap()) && !odd.contains("192.0.2.128".parse().unwrap()));
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("8.8.8.8".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
        assert!("::1".parse::<Network>().unwrap().contains("::1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "proxy", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
