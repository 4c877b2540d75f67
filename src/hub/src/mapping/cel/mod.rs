//! Expressions in CEL: compiled when they are saved, bounded when they run.
//!
//! The language is total and without I/O, but not cheap by itself: nested loops
//! and doubled texts grow without end. So an expression is bounded three times.
//! [`scan`] limits length and nesting before the parser sees it. [`check`] walks
//! the syntax tree: known names only, one loop (two where one runs over a short
//! literal list), literal patterns. It also puts meters into the tree, and
//! [`meter`] stops an evaluation that has used up its budget, whatever the
//! attributes are.

mod check;
mod meter;
mod scan;
mod tree;
mod value;
mod variables;

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, LazyLock};

use cel::common::ast::IdedExpr;
use cel::{Context, Env, Value as CelValue, extensions};
use serde_json::Value;

use meter::Pattern;
pub use meter::{BUDGET, Meter};
pub use variables::{MAX_LIST, VARIABLES, Variables};

/// The longest expression, in octets.
pub const MAX_SOURCE: usize = 2048;

/// A checked expression.
pub struct Program {
    source: String,
    /// With the meters in it.
    expression: IdedExpr,
    patterns: Vec<Pattern>,
}

/// One thing that is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, both from 1, where they are known.
    pub position: Option<(usize, usize)>,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((1, column)) => write!(f, "column {column}: {}", self.message),
            Some((line, column)) => write!(f, "line {line}, column {column}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Program {
    /// Parses and checks an expression.
    ///
    /// # Errors
    /// Everything that is wrong with it, with positions.
    pub fn compile(source: &str) -> Result<Self, Vec<Problem>> {
        scan::scan(source).map_err(|problem| vec![problem])?;
        let checked = check::check(source)?;
        Ok(Self { source: source.to_owned(), expression: checked.expression, patterns: checked.patterns })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// One sentence for the trace. A used-up budget is an error even where the
    /// expression itself would have swallowed it (`… || true`).
    pub fn run(&self, variables: &Variables<'_>) -> Result<Value, String> {
        // The interpreter is not ours. Should it panic on some value that an upstream
        // sends, that is one login refused and not a worker lost.
        panic::catch_unwind(AssertUnwindSafe(|| self.evaluate(variables)))
            .unwrap_or_else(|_| Err("the expression can't be evaluated on these values".to_owned()))
    }

    fn evaluate(&self, variables: &Variables<'_>) -> Result<Value, String> {
        let scope = variables.scope(&self.patterns);
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&scope);
        let result = CelValue::resolve_val(&self.expression, &context);
        if let Some(refusal) = variables.refusal() {
            return Err(refusal.to_owned());
        }
        let value = result.map_err(value::explain)?;
        value::to_json(value.as_ref())
    }
}

/// Standard functions, the text functions of the strings extension, and the meters.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::default().with_optional_support(false).with_stdlib();
    let added = extensions::strings(&mut environment).and_then(|()| meter::declare(&mut environment));
    // Nothing is declared twice; a test calls every function. Were it otherwise, a call
    // of what is missing would fail, and so deny.
    debug_assert!(added.is_ok(), "{added:?}");
    Arc::new(environment)
});

#[cfg(test)]
mod tests;
