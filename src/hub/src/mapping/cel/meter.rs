//! The budget of an evaluation, and the functions that draw on it.
//!
//! [`super::check`] puts two calls into the syntax tree. `@burn(meter, n)` stands
//! in front of a loop's body and pays for its nodes; it answers `true` or fails.
//! `@spend(meter, value)` stands around every value that is about to be copied or
//! compared at length and pays for its size; it answers the value. No expression
//! can name them, since `@` is no letter of the language.

use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::common::types::{self, CelBool, CelBytes, CelInt, CelList, CelMap, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use regex::Regex;

/// What one stage of one login may spend on all of its expressions. A unit is about
/// one node of a loop's body, one list element, or 16 octets of text: some 100 ns at most.
pub const BUDGET: u64 = 200_000;

pub(super) const SPEND: &str = "@spend";
pub(super) const BURN: &str = "@burn";
pub(super) const MATCH: &str = "@match";

/// What is left of the budget.
#[derive(Debug)]
pub struct Meter {
    left: AtomicU64,
    refusal: OnceLock<String>,
}

impl Default for Meter {
    fn default() -> Self {
        Self { left: AtomicU64::new(BUDGET), refusal: OnceLock::new() }
    }
}

impl Meter {
    /// Why no expression may run on.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    /// What was spent so far.
    pub fn spent(&self) -> u64 {
        BUDGET - self.left.load(Ordering::Relaxed)
    }

    pub(super) fn spend(&self, units: u64) -> Result<(), ExecutionError> {
        let enough =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(units)).is_ok();
        if enough && self.refusal.get().is_none() {
            return Ok(());
        }
        self.left.store(0, Ordering::Relaxed);
        Err(self.refuse("the expressions need more work than one login may cost; shorten the lists or the loops"))
    }

    /// Refuses this and everything after it, so that no `||` hides it.
    pub(super) fn refuse(&self, why: &str) -> ExecutionError {
        ExecutionError::function_error("meter", self.refusal.get_or_init(|| why.to_owned()))
    }
}

/// A value that only the interpreter hands around.
macro_rules! internal_value {
    ($name:ident, $copy:expr) => {
        impl Val for $name {
            fn get_type(&self) -> &Type {
                &types::DYN_TYPE
            }

            fn cel_type() -> &'static Type {
                &types::DYN_TYPE
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
                let copy: fn(&Self) -> Self = $copy;
                Box::new(copy(self))
            }

            fn as_any(&self) -> Option<&dyn Any> {
                Some(self)
            }
        }

        impl StaticVal for $name {}
    };
}

// A copy of the meter is an empty one, so that copying never refills it.
internal_value!(Meter, |meter| Meter { left: AtomicU64::new(0), refusal: meter.refusal.clone() });

/// A pattern of `matches`, compiled when the expression is saved.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
}

internal_value!(Pattern, Pattern::clone);

pub(super) fn declare(environment: &mut Env) -> Result<(), DeclarationError> {
    let any = || types::DYN_TYPE;
    environment.add_overload(SPEND, "meter_spend", vec![any(), any()], spend)?;
    environment.add_overload(BURN, "meter_burn", vec![any(), types::INT_TYPE], burn)?;
    environment.add_overload(MATCH, "meter_match", vec![any(), any(), types::STRING_TYPE], search)
}

fn spend<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [meter, value] = take(arguments)?;
    meter_of(&meter)?.spend(weight(value.as_ref()))?;
    Ok(value)
}

fn burn<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [meter, units] = take(arguments)?;
    let units = units.downcast_ref::<CelInt>().map_or(u64::MAX, |units| units.inner().unsigned_abs());
    meter_of(&meter)?.spend(units)?;
    Ok(CowVal::owned(CelBool::from(true)))
}

/// The text against a compiled pattern: linear in the text, at a price that grows with the pattern.
fn search<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [meter, pattern, text] = take(arguments)?;
    let (Some(pattern), Some(text)) = (pattern.downcast_ref::<Pattern>(), text.downcast_ref::<CelString>()) else {
        return Err(ExecutionError::function_error("matches", "takes a text and a pattern"));
    };
    let price = 1 + (text.inner().len() as u64) * (1 + pattern.regex.as_str().len() as u64) / 16;
    meter_of(&meter)?.spend(price)?;
    Ok(CowVal::owned(CelBool::from(pattern.regex.is_match(text.inner()))))
}

fn take<'b, 'v, const N: usize>(arguments: Vec<CowVal<'b, 'v>>) -> Result<[CowVal<'b, 'v>; N], ExecutionError> {
    let got = arguments.len();
    arguments.try_into().map_err(|_| ExecutionError::invalid_argument_count(N, got))
}

fn meter_of<'a>(value: &'a CowVal<'_, '_>) -> Result<&'a Meter, ExecutionError> {
    value.downcast_ref::<Meter>().ok_or_else(ExecutionError::missing_argument_or_target)
}

/// What copying or comparing a value costs.
fn weight(value: &dyn Val) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString>() {
        1 + text.inner().len() as u64 / 16
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        list.inner().iter().fold(1, |sum, item| sum.saturating_add(weight(item.as_ref())))
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        map.inner()
            .iter()
            .fold(1, |sum, (key, item)| sum.saturating_add(weight(key.inner())).saturating_add(weight(item.as_ref())))
    } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        1 + bytes.inner().len() as u64 / 16
    } else {
        1
    }
}
