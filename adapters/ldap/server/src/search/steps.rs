//! The steps of one search: what is here, then what upstreams have beyond it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use fedbridge_ldap_core::{Code, LdapResult, Search};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Call, Entries, Rest, Running, Source, Step, UNLIMITED, put, upstreams};
use crate::assertion::silent;
use crate::backend::{Asked, Beyond, Found, Limits};
use crate::limits::WAITING_OUTPUT;
use crate::pipe::Pipe;

impl Running {
    /// Whether a step would get anywhere.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.rest.source {
            Source::Ours { entries, .. } => {
                let Entries::Coming(call) = entries else { return Poll::Ready(()) };
                Pin::new(&mut call.0).poll(cx).map(|read| *entries = Entries::Came(read))
            }
            Source::Upstreams { ahead, arriving, .. } if ahead.is_empty() => match arriving.poll_recv(cx) {
                Poll::Ready(found) => {
                    ahead.extend(found);
                    Poll::Ready(())
                }
                Poll::Pending => Poll::Pending,
            },
            Source::Upstreams { .. } | Source::Over => Poll::Ready(()),
        }
    }

    pub(super) fn step(&mut self, pipe: &mut Pipe, now: Instant, runtime: Option<&Handle>) -> Step {
        if now >= self.until {
            return over(Code::TIME_LIMIT, String::new());
        }
        match &self.rest.source {
            Source::Ours { .. } => self.step_here(pipe, runtime),
            Source::Upstreams { .. } => self.step_there(pipe, runtime),
            Source::Over => over(Code::SUCCESS, String::new()),
        }
    }

    fn step_here(&mut self, pipe: &mut Pipe, runtime: Option<&Handle>) -> Step {
        let Self { id, search, as_, rest: Rest { backend, source, estimate, beyond, .. }, given, most, page, .. } =
            self;
        let Source::Ours { after, entries } = source else { return Step::More };
        if let Entries::Coming(call) = entries {
            match call.taken() {
                None => return Step::More,
                Some(read) => *entries = Entries::Came(read),
            }
        }
        if let Entries::Came(read) = entries {
            match std::mem::replace(read, Ok(None)) {
                Ok(Some(Ok(read))) => *entries = Entries::Here(read),
                Ok(Some(Err(error))) => return Step::Over(silent(&error)),
                Ok(None) => return over(Code::TIME_LIMIT, String::new()),
                Err(_) => return over(Code::OTHER, String::new()),
            }
        }
        // Of what is not paged, and of the last page that the client's own limit leaves, one entry more is asked for:
        // only that one shows that there are too many.
        let paged = page.as_ref().is_some_and(|page| !page.last);
        let ask_for = if paged { *most - *given } else { most.saturating_add(1) - *given };
        let mut too_many = false;
        let output = &mut pipe.output;
        let fetched = if let Entries::Here(fetched) = &*entries { Some(fetched) } else { None };
        let asked = Asked { search, as_, fetched, ask_for, after: *after };
        let found = backend.search(&asked, &mut |found| {
            if *given >= *most {
                too_many = true;
                return false;
            }
            put(*id, &found, output);
            if matches!(found, Found::Entry(_)) {
                *given += 1;
            }
            output.len() < WAITING_OUTPUT && !(paged && *given >= *most)
        });
        if beyond.is_empty() {
            *estimate = (*estimate).max(found.estimate);
        }
        *after = found.next.unwrap_or(0);
        if found.code != Code::SUCCESS {
            return over(found.code, found.matched);
        }
        let full = *given >= *most;
        match found.next {
            _ if too_many => over(Code::SIZE_LIMIT, String::new()),
            None => self.part_over(Code::SUCCESS, runtime),
            Some(_) if paged && full => over(Code::SUCCESS, String::new()),
            Some(_) => {
                if !found.missing.is_empty() {
                    let backend = Arc::clone(backend);
                    let left = self.until.saturating_duration_since(Instant::now());
                    let read = async move { tokio::time::timeout(left, backend.fetch(&found.missing)).await.ok() };
                    *entries = Entries::Coming(Call::begin(runtime, read));
                }
                Step::More
            }
        }
    }

    fn step_there(&mut self, pipe: &mut Pipe, runtime: Option<&Handle>) -> Step {
        let Self { id, rest, given, most, page, .. } = self;
        let Source::Upstreams { ahead, arriving, call, is_a_part } = &mut rest.source else { return Step::More };
        let paged = page.as_ref().is_some_and(|page| !page.last);
        while pipe.output.len() < WAITING_OUTPUT {
            if paged && *given >= *most {
                return over(Code::SUCCESS, String::new());
            }
            let found = match ahead.pop_front() {
                Some(found) => found,
                None => match arriving.try_recv() {
                    Ok(found) => found,
                    Err(mpsc::error::TryRecvError::Empty) => return Step::More,
                    Err(mpsc::error::TryRecvError::Disconnected) => break,
                },
            };
            if *given >= *most {
                return over(Code::SIZE_LIMIT, String::new());
            }
            put(*id, &found, &mut pipe.output);
            *given += 1;
        }
        if !arriving.is_closed() || !arriving.is_empty() || !ahead.is_empty() {
            return Step::More;
        }
        let is_a_part = *is_a_part;
        match call.taken() {
            Some(Ok(page)) if is_a_part => self.part_over(page.code, runtime),
            Some(Ok(page)) => {
                rest.source = Source::Over;
                over(page.code, page.matched)
            }
            Some(Err(_)) => over(Code::OTHER, String::new()),
            // It has closed its end, and returns next.
            None => Step::More,
        }
    }

    /// One part of the search is over, and the next one begins. What is not there at an upstream is nothing; one that
    /// does not answer is said at the end, behind the entries of all the others.
    fn part_over(&mut self, code: Code, runtime: Option<&Handle>) -> Step {
        match code {
            Code::SUCCESS | Code::NO_SUCH_OBJECT => {}
            Code::SIZE_LIMIT | Code::TIME_LIMIT => return over(code, String::new()),
            other => self.rest.trouble = Some(self.rest.trouble.unwrap_or(other)),
        }
        let full = self.page.as_ref().is_some_and(|page| !page.last) && self.given >= self.most;
        let Some(Beyond { elsewhere, base, scope }) = self.rest.beyond.pop_front() else {
            self.rest.source = Source::Over;
            return match self.rest.trouble {
                None => over(Code::SUCCESS, String::new()),
                Some(code) => {
                    let text = "a part of the tree is missing: its upstream did not answer";
                    Step::Over(LdapResult::new(code, text))
                }
            };
        };
        let search = Search { base, scope, ..self.search.clone() };
        let left = match &self.page {
            None => self.most - self.given,
            Some(_) if search.size == 0 => UNLIMITED,
            Some(page) => search.size.saturating_sub(page.before.saturating_add(self.given)),
        };
        let limits = Limits { size: left, time: self.until.saturating_duration_since(Instant::now()) };
        self.rest.source = upstreams(runtime, elsewhere, search, limits, true);
        if full { over(Code::SUCCESS, String::new()) } else { Step::More }
    }
}

fn over(code: Code, matched: String) -> Step {
    let text = match code {
        Code::TIME_LIMIT => "the search took longer than it may",
        Code::SIZE_LIMIT => "there are more entries than may be given",
        _ => "",
    };
    Step::Over(LdapResult { matched, ..LdapResult::new(code, text) })
}
