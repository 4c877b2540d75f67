//! Which addresses are special-use: RFC 6890 and the registries behind it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address that is connected to is loopback. In its IPv4-mapped form (`::ffff:127.0.0.1`) too: a
/// connection to that ends at this machine.
pub fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

/// Whether an address is none of the public internet's unicast addresses.
pub fn is_special_use(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => special_v4(ip),
        IpAddr::V6(ip) => special_v6(ip),
    }
}

fn special_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (0 | 10 | 127, _, _) => true,
        (100, 64..=127, _) => true, // shared address space, RFC 6598
        (169, 254, _) => true,
        (172, 16..=31, _) => true,
        (192, 0, 0 | 2) => true, // protocol assignments, documentation
        (192, 31, 196) | (192, 52, 193) | (192, 88, 99) | (192, 168, _) | (192, 175, 48) => true,
        (198, 18 | 19, _) => true, // benchmarking, RFC 2544
        (198, 51, 100) | (203, 0, 113) => true,
        (224..=255, _, _) => true, // multicast, reserved, broadcast
        _ => false,
    }
}

fn special_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    // Addresses that carry an IPv4 address are judged by it: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056).
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return special_v4(mapped);
    }
    if (a, b, c, d, e, f) == (0x64, 0xff9b, 0, 0, 0, 0) {
        return special_v4(joined(g, h));
    }
    if a == 0x2002 {
        return special_v4(joined(b, c));
    }
    // Only 2000::/3 is global unicast; within it, the blocks that are not.
    let global = a & 0xe000 == 0x2000;
    let reserved = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) // IETF protocol assignments, documentation
        || (a == 0x3fff && b < 0x1000)
        || (a == 0x2620 && b == 0x4f && c == 0x8000);
    !global || reserved
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn tells_special_from_public() {
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
        ] {
            assert!(is_special_use(special.parse().unwrap()), "{special}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(!is_special_use(public.parse().unwrap()), "{public}");
        }
    }
}
