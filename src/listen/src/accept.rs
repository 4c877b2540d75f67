//! Taking sockets in.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::admit::{Accepted, Admission, Door};
use crate::workers::Workers;

/// How long nobody is taken in after the system had no room for one more socket.
const REST: Duration = Duration::from_millis(100);

/// The listeners that there are, on the current runtime.
///
/// # Errors
/// When a socket can't be used.
pub(crate) fn doors(
    clear: Option<std::net::TcpListener>,
    encrypted: Option<std::net::TcpListener>,
) -> io::Result<Vec<(TcpListener, Door)>> {
    let given = [(clear, Door::Clear), (encrypted, Door::Tls)];
    let there = given.into_iter().filter_map(|(listener, door)| Some((listener?, door)));
    there
        .map(|(listener, door)| {
            listener.set_nonblocking(true)?;
            Ok((TcpListener::from_std(listener)?, door))
        })
        .collect()
}

/// Takes sockets in for ever.
pub(crate) async fn take_in(doors: Vec<(TcpListener, Door)>, admission: &Admission, workers: &Workers) {
    let each = |(listener, door): (TcpListener, Door)| async move {
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => hand_over(socket, peer, door, admission, workers),
                Err(error) => {
                    // One client that is gone already, or no free descriptor: then a rest lets some come free.
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    };
    let mut doors = doors.into_iter().map(each);
    match (doors.next(), doors.next()) {
        (Some(one), Some(other)) => {
            tokio::join!(one, other);
        }
        (Some(one), None) => one.await,
        (None, _) => std::future::pending().await,
    }
}

fn hand_over(socket: TcpStream, peer: std::net::SocketAddr, door: Door, admission: &Admission, workers: &Workers) {
    let Some(seat) = admission.seat() else {
        if let Some(count) = admission.turned_away.due() {
            tracing::warn!(%peer, count, "connections were closed: there are as many as may be");
        }
        return;
    };
    // Out of this runtime: the socket goes to another thread's.
    match socket.into_std() {
        Ok(socket) => workers.give(Accepted { socket, peer, door, seat }),
        Err(error) => tracing::debug!(%error, "a connection could not be handed over"),
    }
}
