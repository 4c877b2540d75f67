//! Between a directory and the LDAP library. The library decodes without bounds, panics at what it did not expect, and
//! gathers whatever comes. So it never sees the network: each message is read by our own codec, must answer what is
//! asked, and is written anew; and no more is let through than its reader has taken.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use fedbridge_ldap_core::frame::REQUEST_DEPTH;
use fedbridge_ldap_core::{Done, Framer, Message, Op, Write};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::channel::{Channel, UNASKED, notice, written};
use super::error::{Stage, WireError};

/// Octets that may lie between the directory and whoever reads.
const AHEAD: usize = 1024 * 1024;

/// How long a good-bye may take.
const GOOD_BYE: std::time::Duration = std::time::Duration::from_secs(1);

/// What the pipe and its reader share.
pub(super) struct Guard {
    /// Room for what nobody has taken yet.
    room: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What each message took of the room, first come first.
    taken: VecDeque<u32>,
    /// Why the connection is over.
    cause: Option<WireError>,
}

impl Guard {
    pub fn new() -> Self {
        Self { room: Semaphore::new(AHEAD), state: Mutex::default() }
    }

    /// The reader has taken a message that [`run`] had to find room for.
    pub fn taken(&self) {
        let size = self.state().taken.pop_front();
        self.room.add_permits(size.unwrap_or(0) as usize);
    }

    /// Nobody reads any more.
    pub fn close(&self) {
        self.room.close();
    }

    /// Why the connection is over, where it is.
    pub fn cause(&self) -> Option<WireError> {
        self.state().cause.clone()
    }

    async fn find_room(&self, octets: usize) -> Result<(), Ended> {
        let size = u32::try_from(octets.min(AHEAD)).unwrap_or(u32::MAX);
        let room = self.room.acquire_many(size).await.map_err(|_| Ended::ByUs)?;
        room.forget();
        self.state().taken.push_back(size);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a pipe ends.
enum Ended {
    ByUs,
    Fault(WireError),
}

impl From<WireError> for Ended {
    fn from(error: WireError) -> Self {
        Self::Fault(error)
    }
}

/// Carries messages until one side ends. `library` is the other end of the library's socket.
pub(super) async fn run(mut channel: Channel, library: UnixStream, guard: &Guard) {
    let (from, mut into) = library.into_split();
    let mut requests = Requests { from, input: BytesMut::new(), framer: Framer::new(usize::MAX, REQUEST_DEPTH) };
    match carry(&mut channel, &mut requests, &mut into, guard).await {
        Ended::ByUs => {
            let _ = timeout(GOOD_BYE, channel.unbind()).await;
        }
        // The library's socket is still open: whoever hears from it that all is over finds the cause.
        Ended::Fault(error) => guard.state().cause = Some(error),
    }
}

async fn carry(channel: &mut Channel, requests: &mut Requests, into: &mut OwnedWriteHalf, guard: &Guard) -> Ended {
    let (mut asked, server) = (Asked::default(), Arc::clone(channel.server()));
    loop {
        let carried = tokio::select! {
            request = requests.next() => match request {
                None => return Ended::ByUs,
                Some(request) => pass_on(request, channel, &mut asked).await,
            },
            answer = channel.next() => match answer {
                Err(error) => return Ended::Fault(error),
                Ok(answer) => pass_back(answer, &server, into, &mut asked, guard).await,
            },
        };
        if let Err(ended) = carried {
            return ended;
        }
    }
}

async fn pass_on(request: Message, channel: &mut Channel, asked: &mut Asked) -> Result<(), Ended> {
    asked.note(&request);
    channel.send(&written(&request)).await?;
    Ok(())
}

async fn pass_back(
    answer: Message,
    server: &str,
    into: &mut OwnedWriteHalf,
    asked: &mut Asked,
    guard: &Guard,
) -> Result<(), Ended> {
    if answer.id == 0 {
        return Err(WireError::lost(server, notice(&answer.op)).into());
    }
    let octets = written(&answer);
    match asked.judge(&answer) {
        Verdict::More => guard.find_room(octets.len()).await?,
        Verdict::Last => {}
        Verdict::Unasked => return Err(WireError::lost(server, UNASKED).into()),
    }
    into.write_all(&octets).await.map_err(|_| Ended::ByUs)
}

/// What the library sends, which is ours.
struct Requests {
    from: OwnedReadHalf,
    input: BytesMut,
    framer: Framer,
}

impl Requests {
    /// `None`: the library is done. It may be given up and called again.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = self.framer.next(&mut self.input).ok()? {
                return Message::read(&frame).ok();
            }
            if self.from.read_buf(&mut self.input).await.ok()? == 0 {
                return None;
            }
        }
    }
}

/// Requests that have no last answer yet.
#[derive(Default)]
struct Asked(Vec<(i32, Wanted)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Search,
    Extended,
    Done(Done),
}

enum Verdict {
    More,
    Last,
    Unasked,
}

impl Asked {
    fn note(&mut self, request: &Message) {
        let wanted = match &request.op {
            Op::Search(_) => Wanted::Search,
            Op::Compare { .. } => Wanted::Done(Done::Compare),
            Op::Write { kind: Write::Modify, .. } => Wanted::Done(Done::Modify),
            Op::Extended { .. } => Wanted::Extended,
            // Without an answer, or never sent by us: then any answer is one too many.
            _ => return,
        };
        self.0.push((request.id, wanted));
    }

    fn judge(&mut self, answer: &Message) -> Verdict {
        let Some(at) = self.0.iter().position(|(id, _)| *id == answer.id) else { return Verdict::Unasked };
        match (self.0[at].1, &answer.op) {
            (Wanted::Search, Op::Entry(_) | Op::Reference(_) | Op::Intermediate { .. }) => return Verdict::More,
            (Wanted::Search, Op::Done { of: Done::Search, .. }) | (Wanted::Extended, Op::ExtendedDone { .. }) => {}
            (Wanted::Done(wanted), Op::Done { of, .. }) if wanted == *of => {}
            _ => return Verdict::Unasked,
        }
        self.0.swap_remove(at);
        Verdict::Last
    }
}

/// What the reader is told where the library says no more than that the connection is over.
pub(super) fn over(guard: &Guard, server: &str, stage: Stage) -> WireError {
    guard.cause().unwrap_or_else(|| WireError::lost(server, format!("the connection ended ({stage})")))
}
