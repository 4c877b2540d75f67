//! Everything that is wrong with a file or a setting, with its place, collected
//! so that an admin sees all of it at once.

use std::fmt;
use std::sync::Arc;

/// Where a value was written: a file and its line, or the name of a variable or flag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub source: Arc<str>,
    /// From 1; 0 where the source has no lines.
    pub line: usize,
}

impl Place {
    pub fn new(source: impl Into<Arc<str>>, line: usize) -> Self {
        Self { source: source.into(), line }
    }

    /// A source without lines: an environment variable, a flag, a folder.
    pub fn whole(source: impl Into<Arc<str>>) -> Self {
        Self::new(source, 0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.source) } else { write!(f, "{}:{}", self.source, self.line) }
    }
}

/// One mistake. It prints as `file:line: path: message`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    pub place: Place,
    pub path: String,
    pub message: String,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}: {}", self.place, self.message)
        } else {
            write!(f, "{}: {}: {}", self.place, self.path, self.message)
        }
    }
}

/// A growing list of mistakes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Complaints {
    list: Vec<Located>,
}

impl Complaints {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(&mut self, place: &Place, path: impl Into<String>, message: impl Into<String>) {
        self.list.push(Located { place: place.clone(), path: path.into(), message: message.into() });
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn extend(&mut self, other: Complaints) {
        self.list.extend(other.list);
    }

    /// By place, each mistake once.
    pub fn sorted(mut self) -> Vec<Located> {
        self.list.sort();
        self.list.dedup();
        self.list
    }

    /// The value, where nothing is wrong.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Complaints> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}
