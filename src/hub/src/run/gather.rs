//! What is told without waiting, gathered for a moment, and written together.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// So many wait. When there are more, some are lost.
const WAITING: usize = 4096;

/// How long is gathered.
const GATHER: Duration = Duration::from_secs(1);

/// What is done with what was told.
#[async_trait]
pub trait Gathering: Send + 'static {
    type Told: Send + 'static;

    /// Puts it with the others.
    fn take(&mut self, told: Self::Told);

    /// Writes what was taken since the last time.
    async fn write(&mut self);
}

/// Is told, and never waits.
pub struct Teller<T>(mpsc::Sender<Message<T>>);

enum Message<T> {
    Told(T),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

impl<T: Send + 'static> Teller<T> {
    /// Starts to gather, as a task of the current runtime. It ends when the last clone is gone.
    pub fn start(gathering: impl Gathering<Told = T>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(gather(receiver, gathering));
        Self(sender)
    }

    /// False: there is no room, and it is lost.
    pub fn tell(&self, told: T) -> bool {
        self.0.try_send(Message::Told(told)).is_ok()
    }

    /// Waits until everything that was told before is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.0.send(Message::Flush(done)).await.is_ok() {
            let _ = written.await;
        }
    }
}

impl<T> Clone for Teller<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

async fn gather<G: Gathering>(mut receiver: mpsc::Receiver<Message<G::Told>>, mut gathering: G) {
    while let Some(first) = receiver.recv().await {
        let until = Instant::now() + GATHER;
        let mut next = Some(first);
        let mut somebody_waits = None;
        while let Some(message) = next.take() {
            match message {
                Message::Told(told) => {
                    gathering.take(told);
                    next = timeout_at(until, receiver.recv()).await.ok().flatten();
                }
                // What there is should be written now.
                Message::Flush(done) => somebody_waits = Some(done),
            }
        }
        gathering.write().await;
        if let Some(done) = somebody_waits {
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_where_there_is_no_room() {
        let (sender, mut receiver) = mpsc::channel(2);
        let teller = Teller(sender);
        let told = (0..100).filter(|number| teller.tell(*number)).count();
        let mut there = 0;
        while receiver.try_recv().is_ok() {
            there += 1;
        }
        assert_eq!((told, there), (2, 2));
        drop(receiver);
        assert!(!teller.tell(1));
        teller.flush().await;
    }
}
