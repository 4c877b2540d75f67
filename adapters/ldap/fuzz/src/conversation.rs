//! Says octets to our server, as nobody, as an app, or as a person.
//!
//! Two servers hear the same. They differ in what neither the app nor the person may see, so they must answer the same,
//! octet by octet.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use fedbridge_contract::listener::Speaker as _;
use fedbridge_ldap_core::frame::RESPONSE_DEPTH;
use fedbridge_ldap_core::{Auth, Code, Framer, Message, Op};
use fedbridge_ldap_server::LdapServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};

use crate::house::{self, ALICE, APP, PASSWORD};
use crate::wire::accepted;

/// Of which there is one, because time stands still in it while anybody has something to do.
static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new()));

struct World {
    runtime: Runtime,
    servers: [Arc<LdapServer>; 2],
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let servers = runtime.block_on(async { [house::open("sesame").await, house::open("mellon!").await] });
        Self { runtime, servers }
    }
}

/// Longer than any patience of the server.
const FOR_EVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// The first octet says who speaks, and how; the rest is what is said.
///
/// # Panics
/// A connection that does not end, an answer that is none, one to somebody who must not have it.
pub fn check(octets: &[u8]) {
    let Some((&how, said)) = octets.split_first() else { return };
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let how = How { who: how & 3, encrypted: how & 4 != 0, in_pieces: how & 8 != 0 };
    let [one, other] = world.servers.each_ref().map(|server| {
        // A timer needs the runtime that it is made in.
        let heard = async { tokio::time::timeout(FOR_EVER, converse(server, how, said)).await };
        let heard = world.runtime.block_on(heard).expect("the connection ends");
        answers(&heard, how);
        heard
    });
    assert_eq!(one, other, "what may not be seen has been seen");
}

#[derive(Clone, Copy)]
struct How {
    /// Nobody, the app, alice by way of the app, alice.
    who: u8,
    encrypted: bool,
    in_pieces: bool,
}

/// Everything that the server answers.
async fn converse(server: &Arc<LdapServer>, how: How, said: &[u8]) -> Vec<u8> {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let session = tokio::spawn(Arc::clone(server).speak(accepted(there, how.encrypted)));
    let (mut from, mut to) = tokio::io::split(here);
    let talk = async {
        // The server may have had enough before all is said.
        let _ = to.write_all(&binds(how)).await;
        if how.in_pieces {
            for piece in said.chunks(7) {
                let _ = to.write_all(piece).await;
                tokio::task::yield_now().await;
            }
        } else {
            let _ = to.write_all(said).await;
        }
        let _ = to.shutdown().await;
    };
    let mut heard = Vec::new();
    let (read, ()) = tokio::join!(from.read_to_end(&mut heard), talk);
    read.expect("a pipe in memory");
    session.await.expect("the session does not panic");
    heard
}

fn binds(how: How) -> BytesMut {
    let mut octets = BytesMut::new();
    let mut bind = |id, name: &str| {
        let auth = Auth::Simple(PASSWORD.to_owned().into());
        Message { id, op: Op::Bind { version: 3, name: name.to_owned(), auth }, controls: Vec::new() }
            .write(&mut octets);
    };
    if matches!(how.who, 1 | 2) {
        bind(101, APP);
    }
    if matches!(how.who, 2 | 3) {
        bind(102, ALICE);
    }
    octets
}

/// Looks at every answer.
fn answers(heard: &[u8], how: How) {
    let mut stream = BytesMut::from(heard);
    let framer = Framer::new(usize::MAX, RESPONSE_DEPTH);
    let mut is_bound = false;
    while let Some(frame) = framer.next(&mut stream).expect("an answer is BER") {
        let message = Message::read(&frame).expect("an answer is a message");
        match message.op {
            Op::BindDone { result, .. } => is_bound |= result.code == Code::SUCCESS,
            Op::Entry(entry) => {
                let is_common = entry.dn.is_empty() || entry.dn.eq_ignore_ascii_case("cn=subschema");
                assert!(is_bound || is_common, "nobody was shown {}", entry.dn);
                let mut names = entry.attributes.iter().map(|(name, _)| name);
                assert!(!names.any(|name| name.eq_ignore_ascii_case("userPassword")), "a password was shown");
            }
            Op::Reference(_) | Op::Done { .. } | Op::ExtendedDone { .. } | Op::Intermediate { .. } => {}
            other => panic!("no answer: {other:?}"),
        }
    }
    assert!(stream.is_empty(), "the last answer breaks off");
    // Otherwise the target would look at far less than it seems to.
    assert!(is_bound || how.who == 0 || !how.encrypted, "the binds at the start fail");
}
