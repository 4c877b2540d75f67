//! A connection in memory.

use std::net::SocketAddr;

use fedbridge_contract::listener::{Stream, WireFacts};
use fedbridge_contract::testkit;
use tokio::io::DuplexStream;

/// The server's end. TLS begins as soon as it is asked for.
pub fn accepted(stream: DuplexStream, encrypted: bool) -> Stream {
    let facts = WireFacts {
        peer: SocketAddr::from(([192, 0, 2, 7], 50_000)),
        encrypted,
        server_name: None,
        client_certificate: None,
        can_upgrade: !encrypted,
    };
    testkit::accepted(stream, facts, b"")
}
