//! Plays that are known line by line.

use super::sim::{Asked, Play, Step};
use crate::message::{Message, Op};

/// What every connection is asked, in this order, and what is said to it. Anything else closes the connection.
#[derive(Debug, Clone, Default)]
pub struct Script {
    unasked: Vec<Step>,
    lines: Vec<(Expected, Vec<Step>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Bind,
    Search,
    Compare,
    Extended,
    Write,
    Abandon,
    Unbind,
    Anything,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    /// Says something before anything was asked.
    pub fn unasked(mut self, steps: Vec<Step>) -> Self {
        self.unasked = steps;
        self
    }

    pub fn then(mut self, expected: Expected, steps: Vec<Step>) -> Self {
        self.lines.push((expected, steps));
        self
    }
}

impl Expected {
    fn is_met_by(self, message: &Message) -> bool {
        match message.op {
            Op::Bind { .. } => matches!(self, Self::Bind | Self::Anything),
            Op::Search(_) => matches!(self, Self::Search | Self::Anything),
            Op::Compare { .. } => matches!(self, Self::Compare | Self::Anything),
            Op::Extended { .. } => matches!(self, Self::Extended | Self::Anything),
            Op::Write { .. } => matches!(self, Self::Write | Self::Anything),
            Op::Abandon(_) => matches!(self, Self::Abandon | Self::Anything),
            Op::Unbind => matches!(self, Self::Unbind | Self::Anything),
            _ => false,
        }
    }
}

impl Play for Script {
    fn begin(&self, _connection: usize) -> Vec<Step> {
        self.unasked.clone()
    }

    fn answer(&self, asked: &Asked<'_>) -> Vec<Step> {
        match self.lines.get(asked.number) {
            Some((expected, steps)) if expected.is_met_by(asked.message) => steps.clone(),
            _ => vec![Step::Close],
        }
    }
}
