//! Finds the one entity of a document that a partner is.

use std::time::Duration;

use fedbridge_contract::trace::clip;
use samael::metadata::{EntityDescriptor, EntityDescriptorType, IdpSsoDescriptor, SpSsoDescriptor};

use super::reduce::{Keep, reduced};
use crate::names;
use crate::seam::{Limits, UnverifiedDocument};

/// What differs between the two roles when one is looked for.
pub(super) trait Role: Sized {
    const KEEP: Keep;
    /// In an admin's words.
    const WORDS: &'static str;

    fn all(entity: &EntityDescriptor) -> &[Self];
    fn protocols(&self) -> Option<&str>;
    /// Milliseconds.
    fn valid_until(&self) -> Option<i64>;
}

impl Role for IdpSsoDescriptor {
    const KEEP: Keep = Keep::IdentityProvider;
    const WORDS: &'static str = "identity provider";

    fn all(entity: &EntityDescriptor) -> &[Self] {
        entity.idp_sso_descriptors.as_deref().unwrap_or_default()
    }

    fn protocols(&self) -> Option<&str> {
        self.protocol_support_enumeration.as_deref()
    }

    fn valid_until(&self) -> Option<i64> {
        self.valid_until.map(|until| until.timestamp_millis())
    }
}

impl Role for SpSsoDescriptor {
    const KEEP: Keep = Keep::ServiceProvider;
    const WORDS: &'static str = "service provider";

    fn all(entity: &EntityDescriptor) -> &[Self] {
        entity.sp_sso_descriptors.as_deref().unwrap_or_default()
    }

    fn protocols(&self) -> Option<&str> {
        self.protocol_support_enumeration.as_deref()
    }

    fn valid_until(&self) -> Option<i64> {
        self.valid_until.map(|until| until.timestamp_millis())
    }
}

/// Reads a document, keeping nothing but this role.
pub(super) fn read<R: Role>(xml: &[u8]) -> Result<EntityDescriptorType, String> {
    let document = UnverifiedDocument::parse(xml, Limits::metadata())
        .map_err(|refusal| format!("the metadata can't be read: {refusal}"))?;
    let small = reduced(document.unverified_root(), R::KEEP)
        .map_err(|error| format!("the metadata can't be used: {}", error.0))?;
    small.parse().map_err(|_| "the metadata has a value of the wrong form, for example a date without its Z".into())
}

/// An entity that has the role for SAML 2.0.
pub(super) struct Candidate<'a, R> {
    pub entity: &'a EntityDescriptor,
    pub role: &'a R,
    /// Milliseconds; the earliest of the document, the entity and the role.
    pub valid_until: Option<i64>,
    /// The shortest of the document and the entity.
    pub cache: Option<Duration>,
}

pub(super) fn candidates<R: Role>(root: &EntityDescriptorType) -> Vec<Candidate<'_, R>> {
    let mut found = Vec::new();
    let mut queue = vec![(root, None, None)];
    while let Some((next, until, cache)) = queue.pop() {
        match next {
            EntityDescriptorType::EntitiesDescriptor(group) => {
                let until = least(until, group.valid_until.map(|until| until.timestamp_millis()));
                let cache = least(cache, group.cache_duration.as_deref().and_then(duration));
                queue.extend(group.descriptors.iter().rev().map(|descriptor| (descriptor, until, cache)));
            }
            EntityDescriptorType::EntityDescriptor(entity) => {
                let until = least(until, entity.valid_until.map(|until| until.timestamp_millis()));
                let cache = least(cache, entity.cache_duration.as_deref().and_then(duration));
                // The first role for SAML 2.0; a partner has no reason for a second.
                if let Some(role) = R::all(entity).iter().find(|role| speaks_saml2(*role)) {
                    let valid_until = least(until, role.valid_until());
                    found.push(Candidate { entity, role, valid_until, cache });
                }
            }
        }
    }
    found
}

fn speaks_saml2<R: Role>(role: &R) -> bool {
    role.protocols().unwrap_or_default().split_ascii_whitespace().any(|protocol| protocol == names::PROTOCOL)
}

fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

pub(super) fn pick<'a, 'b, R: Role>(
    all: &'b [Candidate<'a, R>],
    wanted: Option<&str>,
) -> Result<&'b Candidate<'a, R>, String> {
    let words = R::WORDS;
    let id = |candidate: &Candidate<'_, R>| candidate.entity.entity_id.clone().unwrap_or_default();
    let listed = || {
        let mut names: Vec<_> = all.iter().take(5).map(|candidate| clip(id(candidate))).collect();
        if all.len() > names.len() {
            names.push("…".into());
        }
        names.join(", ")
    };
    let matching: Vec<_> = match wanted {
        Some(wanted) => all.iter().filter(|candidate| id(candidate) == wanted).collect(),
        None => all.iter().collect(),
    };
    match (matching.as_slice(), wanted) {
        ([one], _) => Ok(one),
        ([], _) if all.is_empty() => Err(format!("the metadata describes no SAML 2.0 {words}")),
        ([], _) => Err(format!("the metadata has no {words} of that entity_id; it has {}", listed())),
        (_, Some(wanted)) => Err(format!("the metadata describes {wanted} more than once")),
        (_, None) => Err(format!("the metadata describes several {words}s; set entity_id to one of {}", listed())),
    }
}

/// `xs:duration`, a month counted as 30 days and a year as 365; `None` for another text, and for a
/// negative one.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim().strip_prefix('P')?;
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = units(date, &[('Y', 365 * 86_400), ('M', 30 * 86_400), ('D', 86_400)])?;
    let seconds = units(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
    Some(Duration::from_secs(days.checked_add(seconds)?))
}

fn units(mut text: &str, known: &[(char, u64)]) -> Option<u64> {
    let mut known = known.iter();
    let mut total = 0_u64;
    while let Some(end) = text.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, rest) = text.split_at(end);
        let unit = rest.chars().next()?;
        let (_, size) = known.find(|(name, _)| *name == unit)?;
        // A fraction of a second changes nothing here.
        let whole = if unit == 'S' { number.split('.').next()? } else { number };
        total = total.checked_add(whole.parse::<u64>().ok()?.checked_mul(*size)?)?;
        text = &rest[1..];
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("PT6H", 21_600),
            ("P1D", 86_400),
            ("P0Y0M30DT0H0M0.000S", 2_592_000),
            ("P1M", 2_592_000),
            ("PT1M", 60),
            ("PT3600S", 3600),
            ("P1Y2DT3H4M5.9S", 365 * 86_400 + 2 * 86_400 + 3 * 3600 + 245),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "P", "PT", "P1DT", "6H", "-PT6H", "PT6", "P6H", "PT1S1H", "PTH", "PT99999999999999999999H"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
