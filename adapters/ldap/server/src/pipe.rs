//! The octets of one connection: what has come in and waits to be read, what waits to go out, and the patience with
//! a client that does neither.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use fedbridge_contract::listener::{Stream, Upgrade, Wire, WireFacts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, timeout};

use crate::limits::{Patience, WAITING_OUTPUT};

/// Octets that are read at once. An idle connection holds as many.
const READ: usize = 4 * 1024;

/// How long the last answer of a connection may take on its way.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(crate) struct Pipe {
    stream: Unshared<Side>,
    facts: WireFacts,
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    watch: Watch,
    stop: Unshared<Pin<Box<dyn Future<Output = ()> + Send>>>,
    stopped: bool,
}

/// What is used by its owner alone, and says so: streams need not be fit for sharing, though a connection is.
struct Unshared<T>(Mutex<T>);

impl<T> Unshared<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn get(&mut self) -> &mut T {
        // No lock is taken: the reference is exclusive.
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Side {
    Clear(Box<dyn Upgrade>),
    Tls(Box<dyn Wire>),
    /// The handshake failed.
    Gone,
}

/// What a connection waits for besides answers that go out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    /// Requests may come in.
    pub(crate) read: bool,
    /// There is something to do as soon as there is room for answers.
    pub(crate) work: bool,
    /// Operations are under way: nobody is idle.
    pub(crate) busy: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Came,
    Work,
    /// The server stops. It is said once.
    Stop,
    Over(End),
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client is gone.
    Gone,
    /// The client does nothing, or nothing whole, or does not read.
    Impatience,
}

impl Pipe {
    pub(crate) fn new(stream: Stream, patience: Patience, mut stop: watch::Receiver<bool>) -> Self {
        let (stream, facts) = match stream {
            Stream::Clear(clear) => {
                let facts = clear.about().clone();
                (Side::Clear(clear), facts)
            }
            Stream::Tls(tls) => {
                let facts = tls.about().clone();
                (Side::Tls(tls), facts)
            }
        };
        let stop: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            // An error means that the server is gone, which ends it too.
            let _ = stop.wait_for(|stop| *stop).await;
        });
        Self {
            stream: Unshared::new(stream),
            facts,
            input: BytesMut::new(),
            output: BytesMut::new(),
            watch: Watch::new(patience),
            stop: Unshared::new(stop),
            stopped: false,
        }
    }

    pub(crate) fn facts(&self) -> &WireFacts {
        &self.facts
    }

    pub(crate) fn facts_and_output(&mut self) -> (&WireFacts, &mut BytesMut) {
        (&self.facts, &mut self.output)
    }

    pub(crate) fn has_room(&self) -> bool {
        self.output.len() < WAITING_OUTPUT
    }

    /// A whole message was taken.
    pub(crate) fn took(&mut self) {
        self.watch.took = true;
    }

    /// Sends what waits, and waits for what is wanted. `work` may find out more: whether there is work.
    pub(crate) async fn event(&mut self, want: Want, mut work: impl FnMut(&mut Context<'_>) -> bool) -> Event {
        poll_fn(|cx| {
            if let Err(end) = self.poll_send(cx) {
                return Poll::Ready(Event::Over(end));
            }
            if want.read {
                match self.poll_receive(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Event::Over(End::Gone)),
                    Poll::Ready(Ok(_)) => return Poll::Ready(Event::Came),
                    Poll::Pending => {}
                }
            }
            if !self.stopped && self.stop.get().as_mut().poll(cx).is_ready() {
                self.stopped = true;
                return Poll::Ready(Event::Stop);
            }
            if self.has_room() && (want.work || work(cx)) {
                return Poll::Ready(Event::Work);
            }
            if self.watch.poll_over(cx, !self.output.is_empty(), !self.input.is_empty() && want.read, want.busy) {
                return Poll::Ready(Event::Over(End::Impatience));
            }
            Poll::Pending
        })
        .await
    }

    /// Begins TLS: what waits is sent, and what came in before the handshake is thrown away (RFC 4511 section
    /// 4.14.2; RFC 4513 section 3.1.1).
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) async fn begin_tls(&mut self) -> io::Result<()> {
        timeout(LAST_WORDS, self.send_all()).await??;
        self.input.clear();
        match std::mem::replace(self.stream.get(), Side::Gone) {
            Side::Clear(clear) => {
                let tls = clear.begin_tls().await?;
                self.facts = tls.about().clone();
                *self.stream.get() = Side::Tls(tls);
                Ok(())
            }
            Side::Tls(_) | Side::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Sends what waits, as far as the client takes it soon, and closes.
    pub(crate) async fn close(mut self) {
        let last_words = async {
            self.send_all().await?;
            match self.stream.get().io() {
                Some(mut stream) => stream.shutdown().await,
                None => Ok(()),
            }
        };
        // Whether the client hears it or not, that was all.
        let _ = timeout(LAST_WORDS, last_words).await;
    }

    async fn send_all(&mut self) -> io::Result<()> {
        let Some(mut stream) = self.stream.get().io() else { return Err(io::ErrorKind::NotConnected.into()) };
        stream.write_all_buf(&mut self.output).await?;
        stream.flush().await
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let mut sent = false;
        while !self.output.is_empty() {
            let Some(stream) = self.stream.get().io() else { return Err(End::Gone) };
            match stream.poll_write(cx, &self.output) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(End::Gone),
                Poll::Ready(Ok(count)) => {
                    self.output.advance(count);
                    sent = true;
                }
                Poll::Pending => break,
            }
        }
        self.watch.sent |= sent;
        if sent && let Some(stream) = self.stream.get().io() {
            // Streams that keep something back take their own time; none of ours does.
            let _ = stream.poll_flush(cx);
        }
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(mut stream) = self.stream.get().io() else { return Poll::Ready(Ok(0)) };
        self.input.reserve(READ);
        pin!(stream.read_buf(&mut self.input)).poll(cx)
    }
}

impl Side {
    fn io(&mut self) -> Option<Pin<&mut dyn Wire>> {
        match self {
            Self::Clear(clear) => {
                let wire: &mut dyn Wire = clear.as_mut();
                Some(Pin::new(wire))
            }
            Self::Tls(tls) => Some(Pin::new(tls.as_mut())),
            Self::Gone => None,
        }
    }
}

/// Looks now and then whether the client does its part. Between two looks nothing is measured: only marks are set.
struct Watch {
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    took: bool,
    sent: bool,
    /// Whether a whole message has ever come.
    greeted: bool,
    opened: Instant,
    /// The last whole message, or the end of the last operation.
    active: Instant,
    /// Since when a part of a message has lain there.
    partial: Option<Instant>,
    /// Since when answers have waited and none was taken.
    stalled: Option<Instant>,
}

impl Watch {
    fn new(patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            patience,
            timer: Box::pin(tokio::time::sleep_until(now + patience.tick())),
            took: false,
            sent: false,
            greeted: false,
            opened: now,
            active: now,
            partial: None,
            stalled: None,
        }
    }

    /// Whether patience has ended.
    fn poll_over(&mut self, cx: &mut Context<'_>, waiting: bool, partial: bool, busy: bool) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.look(now, waiting, partial, busy) {
                return true;
            }
            self.timer.as_mut().reset(now + self.patience.tick());
        }
        false
    }

    fn look(&mut self, now: Instant, waiting: bool, partial: bool, busy: bool) -> bool {
        let (took, sent) = (std::mem::take(&mut self.took), std::mem::take(&mut self.sent));
        self.greeted |= took;
        if took || busy {
            self.active = now;
        }
        self.partial = since(self.partial, partial, took, now);
        self.stalled = since(self.stalled, waiting, sent, now);
        let over = |since: Option<Instant>, limit| since.is_some_and(|since| now.duration_since(since) >= limit);
        over(self.stalled, self.patience.stall)
            || over(self.partial, self.patience.message)
            || (!self.greeted && over(Some(self.opened), self.patience.first))
            || over(Some(self.active), self.patience.idle)
    }
}

/// Since when something is so: from now on where it is new, or where there was progress.
fn since(before: Option<Instant>, is_so: bool, progress: bool, now: Instant) -> Option<Instant> {
    match before {
        _ if !is_so => None,
        Some(since) if !progress => Some(since),
        _ => Some(now),
    }
}
