//! The way out for LDAP: a stream in clear to a directory, which is most often inside. So private addresses are
//! reached, and what is refused is what no directory is at: link-local addresses, metadata services, and, unless the
//! installation or the connection says so, this machine.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::egress::SrvRecord;
use fedbridge_contract::services::{DialTarget, Dialed, Dialer, Rng};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::address::{is_loopback, is_special_use};
use super::hosts;
use super::names::{Names, Unresolved};
use super::srv;

/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;

/// Connects to directories. Each time the name is looked up anew, and what was found is what is connected to.
pub struct Dial {
    names: Names,
    rng: Arc<dyn Rng>,
    allow_loopback: bool,
    /// The hosts that the tenant allows; `None`: all.
    hosts: Option<Arc<[String]>>,
}

impl Dial {
    pub(super) fn new(names: Names, rng: Arc<dyn Rng>, allow_loopback: bool) -> Self {
        Self { names, rng, allow_loopback, hosts: None }
    }

    async fn addresses(&self, target: &DialTarget<'_>, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
        if self.hosts.as_deref().is_some_and(|patterns| !hosts::allow_name(patterns, target.host)) {
            let sentence = format!("the host {} is not among the tenant's egress.hosts", target.host);
            return Err(io::Error::new(ErrorKind::PermissionDenied, sentence));
        }
        let found = match target.host.parse::<IpAddr>() {
            Ok(ip) => vec![ip],
            Err(_) => {
                let looked_up = self.names.addresses(target.host, Some(target.tenant));
                let found = timeout_at(deadline, looked_up).await.map_err(|_| late())?;
                let found = found.map_err(|cause| match cause {
                    Unresolved::TooMany(sentence) => io::Error::other(sentence),
                    Unresolved::Failed(words) => io::Error::new(ErrorKind::NotFound, words),
                })?;
                found.iter().map(SocketAddr::ip).collect()
            }
        };
        let mut refused = None;
        let mut allowed = Vec::new();
        for ip in found {
            match self.permitted(ip, target.loopback) {
                Ok(()) => allowed.push(SocketAddr::new(ip, target.port)),
                Err(sentence) => refused = Some(sentence),
            }
        }
        match (allowed.is_empty(), refused) {
            // A domain controller may list an address that leads nowhere beside one that is good.
            (false, _) => Ok(allowed),
            (true, Some(sentence)) => Err(io::Error::new(ErrorKind::PermissionDenied, sentence)),
            (true, None) => Err(io::Error::new(ErrorKind::NotFound, "the name has no address")),
        }
    }

    fn permitted(&self, ip: IpAddr, only_loopback: bool) -> Result<(), &'static str> {
        let ip = embedded(ip);
        match (is_loopback(ip), only_loopback) {
            (true, true) => Ok(()),
            (true, false) if self.allow_loopback => Ok(()),
            (true, false) => {
                Err("the host is this machine, which is not connected to (egress.allow_loopback permits it)")
            }
            (false, true) => Err("the host is not this machine, and without TLS no other is connected to"),
            (false, false) if is_metadata(ip) => Err("the host is at an address of a cloud's metadata service"),
            (false, false) if is_private(ip) || !is_special_use(ip) => Ok(()),
            (false, false) => Err("the host is at a special-use address and is not connected to"),
        }
    }
}

#[async_trait]
impl Dialer for Dial {
    async fn dial(&self, target: DialTarget<'_>, timeout: Duration) -> io::Result<Box<dyn Dialed>> {
        let deadline = Instant::now() + timeout;
        let addresses = self.addresses(&target, deadline).await?;
        let tried = addresses.len().min(MOST_ADDRESSES);
        let mut last = late();
        for (at, address) in addresses.into_iter().take(tried).enumerate() {
            // One that is silent leaves time for the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = Instant::now() + left / u32::try_from(tried - at).unwrap_or(1);
            match timeout_at(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Requests are small, and somebody waits for each.
                    stream.set_nodelay(true)?;
                    return Ok(Box::new(stream));
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = late(),
            }
        }
        Err(last)
    }

    fn narrowed(&self, hosts: Arc<[String]>) -> Option<Arc<dyn Dialer>> {
        let (names, rng) = (self.names.clone(), Arc::clone(&self.rng));
        Some(Arc::new(Self { names, rng, allow_loopback: self.allow_loopback, hosts: Some(hosts) }))
    }

    async fn srv(&self, name: &str, timeout: Duration) -> io::Result<Vec<SrvRecord>> {
        srv::look_up(&srv::of_the_system().await?, name, self.rng.as_ref(), timeout).await
    }
}

fn late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "no connection in time")
}

/// The address that is meant: IPv6 forms of an IPv4 address lead to that (RFC 4291 section 2.5.5.2, RFC 6052, RFC 3056).
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = six.segments();
    let joined = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (six.to_ipv4_mapped(), a) {
        (Some(four), _) => IpAddr::V4(four),
        (None, 0x64) if (b, c, d, e, f) == (0xff9b, 0, 0, 0, 0) => joined(g, h),
        (None, 0x2002) => joined(b, c),
        _ => ip,
    }
}

/// Where clouds tell their machines secrets, besides link-local addresses.
fn is_metadata(ip: IpAddr) -> bool {
    const AMAZON: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    const GOOGLE: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    const AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    match ip {
        IpAddr::V4(four) => four == ALIBABA || four == AZURE,
        // Amazon has its other services in the same block, and no company has.
        IpAddr::V6(six) => six == AMAZON || six == GOOGLE || six.segments()[..3] == AMAZON.segments()[..3],
    }
}

/// Addresses of a company's own net: RFC 1918, RFC 6598 (also what many VPNs give out), RFC 4193.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(four) => {
            let [a, b, ..] = four.octets();
            four.is_private() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(six) => six.segments()[0] & 0xfe00 == 0xfc00,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use fedbridge_contract::ids::TenantId;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A name server of ours: each name is its addresses.
    fn names() -> Names {
        Names::by(Box::new(|name| match name {
            "rebinds.test" => Ok(vec![at("127.0.0.1"), at("169.254.169.254")]),
            "metadata.test" => Ok(vec![at("169.254.169.254")]),
            "mixed.test" => Ok(vec![at("169.254.1.1"), at("127.0.0.1")]),
            "dead-first.test" => Ok(vec![at("127.0.0.99"), at("127.0.0.1")]),
            "nothing.test" => Ok(Vec::new()),
            _ => Err(io::Error::new(ErrorKind::NotFound, "no such name")),
        }))
    }

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 0)
    }

    /// Nothing is drawn where no name server is asked.
    struct Unused;

    impl Rng for Unused {
        fn fill(&self, buffer: &mut [u8]) {
            assert!(buffer.is_empty());
        }
    }

    fn dial(allow_loopback: bool) -> Dial {
        Dial::new(names(), Arc::new(Unused), allow_loopback)
    }

    fn target(host: &str, port: u16, loopback: bool) -> DialTarget<'_> {
        DialTarget { tenant: TenantId::from_uuid(Uuid::nil()), host, port, loopback }
    }

    #[test]
    fn inside_is_fine_and_secrets_are_not() {
        let way = dial(false);
        for good in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.5",
            "fd12::5",
            "::ffff:10.1.2.3",
            "1.1.1.1",
            "2606:4700::1111",
        ] {
            assert_eq!(way.permitted(good.parse().unwrap(), false), Ok(()), "{good}");
        }
        for bad in [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "0.0.0.0",
            "::",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "169.254.0.1",
            "fe80::1",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "64:ff9b::6464:64c8",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "ff02::1",
            "192.0.2.1",
            "2001:db8::1",
        ] {
            assert!(way.permitted(bad.parse().unwrap(), false).is_err(), "{bad}");
            assert!(dial(true).permitted(bad.parse().unwrap(), false).is_err() || is_here(bad), "{bad}");
        }
    }

    fn is_here(ip: &str) -> bool {
        is_loopback(embedded(ip.parse().unwrap()))
    }

    #[test]
    fn without_tls_this_machine_and_no_other() {
        let way = dial(false);
        assert_eq!(way.permitted("127.0.0.1".parse().unwrap(), true), Ok(()));
        assert_eq!(way.permitted("::1".parse().unwrap(), true), Ok(()));
        for other in ["10.0.0.1", "1.1.1.1", "169.254.169.254", "fe80::1"] {
            assert!(way.permitted(other.parse().unwrap(), true).is_err(), "{other}");
        }
    }

    #[tokio::test]
    async fn what_was_looked_up_and_judged_is_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(b"here").await;
            }
        });
        let way = dial(true);
        for host in ["127.0.0.1", "mixed.test", "rebinds.test", "dead-first.test"] {
            let mut stream = way.dial(target(host, port, false), SECOND).await.unwrap();
            let mut said = [0; 4];
            stream.read_exact(&mut said).await.unwrap();
            assert_eq!(&said, b"here", "{host}");
        }
        for (host, kind) in [
            ("metadata.test", ErrorKind::PermissionDenied),
            ("nothing.test", ErrorKind::NotFound),
            ("unknown.test", ErrorKind::NotFound),
        ] {
            let refused = way.dial(target(host, port, false), SECOND).await.err().unwrap();
            assert_eq!(refused.kind(), kind, "{host}: {refused}");
        }
        let closed = dial(false);
        let refused = closed.dial(target("127.0.0.1", port, false), SECOND).await.err().unwrap();
        assert!(refused.to_string().contains("egress.allow_loopback"), "{refused}");
        assert!(closed.dial(target("127.0.0.1", port, true), SECOND).await.is_ok(), "the connection says so");
    }

    #[tokio::test]
    async fn only_hosts_of_the_tenant_are_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let patterns = ["mixed.test", "*.corp.test", "127.0.0.1"].map(|text| hosts::pattern(text).unwrap());
        let way = dial(true).narrowed(patterns.as_slice().into()).unwrap();
        for good in ["mixed.test", "127.0.0.1"] {
            assert!(way.dial(target(good, port, false), SECOND).await.is_ok(), "{good}");
        }
        for bad in ["rebinds.test", "corp.test", "mixed.test.", "127.0.0.2", "::1"] {
            let refused = way.dial(target(bad, port, false), SECOND).await.err().unwrap();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{bad}");
            assert!(refused.to_string().ends_with("is not among the tenant's egress.hosts"), "{refused}");
        }
        // Allowed, and looked up: these names know neither.
        for unknown in ["dc1.corp.test", "MIXED.test"] {
            let unknown = way.dial(target(unknown, port, false), SECOND).await.err().unwrap();
            assert_eq!(unknown.kind(), ErrorKind::NotFound);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_name_server_that_is_silent_costs_no_more_than_the_time() {
        let names = Names::by(Box::new(|_| {
            std::thread::sleep(SECOND);
            Ok(Vec::new())
        }));
        let begun = Instant::now();
        let brief = Duration::from_millis(50);
        let late =
            Dial::new(names, Arc::new(Unused), true).dial(target("slow.test", 1, false), brief).await.err().unwrap();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() < SECOND / 2, "{:?}", begun.elapsed());
    }
}
