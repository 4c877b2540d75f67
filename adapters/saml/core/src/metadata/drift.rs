//! What a new document of a partner changes, in meaning and not in text.
//!
//! Keys and addresses may come and go while enough of what was known stays. Whatever would let somebody
//! else in waits for approval: another entity, another host, a lost signing flag, no known key left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use fedbridge_contract::documents::{Drift, DriftEffect};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{clip, visible};
use url::{Origin, Url};

use super::import::{IdpDescription, RequestBinding};
use super::parts::{EncryptionKey, LogoutBinding, LogoutEndpoint};
use super::sp::{AcsBinding, SpDescription};
use crate::trust::TrustedKey;

/// By so much a document may end sooner than the one before it.
const BACKWARDS: Duration = Duration::from_secs(86_400);

/// How many addresses of one kind a difference shows.
const SHOWN: usize = 8;

/// What is different about an identity provider.
pub fn idp_drift(before: &IdpDescription, after: &IdpDescription) -> Vec<Drift> {
    let mut found = Found::default();
    found.text("entity ID", &before.entity_id, &after.entity_id, DriftEffect::Weakens);
    found.end(before.valid_until, after.valid_until);
    found.signing_keys(&before.signing, &after.signing);
    found.encryption_keys(&before.encryption, &after.encryption);
    found.flag("signed requests wanted", before.want_authn_requests_signed, after.want_authn_requests_signed);
    let hosts = |idp: &IdpDescription| {
        let sso = idp.sso.iter().map(|endpoint| endpoint.location.clone());
        let artifacts = idp.artifact_resolution.iter().map(|(_, location)| location.clone());
        origins(sso.chain(logout_addresses(&idp.slo)).chain(artifacts))
    };
    let known = hosts(before);
    let sso = |idp: &IdpDescription| {
        let each = idp.sso.iter().map(|endpoint| (sso_name(endpoint.binding), endpoint.location.clone()));
        each.collect::<Vec<_>>()
    };
    found.addresses(sso(before), sso(after), &known);
    found.addresses(logout(&before.slo), logout(&after.slo), &known);
    let artifacts = |idp: &IdpDescription| {
        let each = idp.artifact_resolution.iter();
        each.map(|(index, location)| (format!("artifact resolution address {index}"), location.clone())).collect()
    };
    found.addresses(artifacts(before), artifacts(after), &known);
    found.formats(&before.name_id_formats, &after.name_id_formats);
    found.0
}

/// What is different about a service provider.
pub fn sp_drift(before: &SpDescription, after: &SpDescription) -> Vec<Drift> {
    let mut found = Found::default();
    found.text("entity ID", &before.entity_id, &after.entity_id, DriftEffect::Weakens);
    found.end(before.valid_until, after.valid_until);
    found.signing_keys(&before.signing, &after.signing);
    found.encryption_keys(&before.encryption, &after.encryption);
    found.flag("signed requests", before.authn_requests_signed, after.authn_requests_signed);
    found.flag("signed assertions wanted", before.want_assertions_signed, after.want_assertions_signed);
    let acs = |sp: &SpDescription| {
        let name = |binding, index| match binding {
            AcsBinding::Post => format!("answer address {index} (post)"),
            AcsBinding::Artifact => format!("answer address {index} (artifact)"),
        };
        let each = sp.acs.iter().map(|endpoint| (name(endpoint.binding, endpoint.index), endpoint.location.clone()));
        each.collect::<Vec<_>>()
    };
    let answers = before.acs.iter().map(|endpoint| endpoint.location.clone());
    let known = origins(answers.chain(logout_addresses(&before.slo)));
    found.addresses(acs(before), acs(after), &known);
    let default = |sp: &SpDescription| sp.default_acs().map(|endpoint| endpoint.text.clone()).unwrap_or_default();
    found.text("default answer address", &default(before), &default(after), DriftEffect::Neutral);
    found.addresses(logout(&before.slo), logout(&after.slo), &known);
    found.formats(&before.name_id_formats, &after.name_id_formats);
    found.0
}

fn sso_name(binding: RequestBinding) -> String {
    match binding {
        RequestBinding::Redirect => "single sign-on address (redirect)".into(),
        RequestBinding::Post => "single sign-on address (post)".into(),
    }
}

fn logout(endpoints: &[LogoutEndpoint]) -> Vec<(String, Url)> {
    let mut found = Vec::new();
    for endpoint in endpoints {
        let binding = match endpoint.binding {
            LogoutBinding::Redirect => "redirect",
            LogoutBinding::Post => "post",
            LogoutBinding::Soap => "SOAP",
        };
        found.push((format!("logout address ({binding})"), endpoint.location.clone()));
        if let Some(answers) = &endpoint.response_location {
            found.push((format!("logout answer address ({binding})"), answers.clone()));
        }
    }
    found
}

fn logout_addresses(endpoints: &[LogoutEndpoint]) -> impl Iterator<Item = Url> {
    logout(endpoints).into_iter().map(|(_, location)| location)
}

fn origins(addresses: impl Iterator<Item = Url>) -> HashSet<Origin> {
    addresses.map(|location| location.origin()).collect()
}

/// In the order of the document, by what they are for.
fn by_name(list: Vec<(String, Url)>) -> BTreeMap<String, Vec<Url>> {
    let mut named = BTreeMap::<String, Vec<Url>>::new();
    for (name, location) in list {
        named.entry(name).or_default().push(location);
    }
    named
}

/// The first of several addresses, those that somebody has to look at in front.
fn shown(list: &[Url], strange: impl Fn(&Url) -> bool) -> Option<String> {
    let (mut first, others): (Vec<&Url>, Vec<&Url>) = list.iter().partition(|location| strange(location));
    first.extend(others);
    let mut texts: Vec<_> = first.iter().take(SHOWN).map(|location| clip(location.to_string())).collect();
    if first.len() > SHOWN {
        texts.push(format!("and {} more", first.len() - SHOWN));
    }
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[derive(Default)]
struct Found(Vec<Drift>);

impl Found {
    fn push(&mut self, what: impl Into<String>, before: Option<String>, after: Option<String>, effect: DriftEffect) {
        self.0.push(Drift { what: what.into(), before: before.map(visible), after: after.map(visible), effect });
    }

    fn text(&mut self, what: &str, before: &str, after: &str, effect: DriftEffect) {
        if before != after {
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            self.push(what, text(before), text(after), effect);
        }
    }

    /// A flag that asks for signatures: losing it weakens.
    fn flag(&mut self, what: &str, before: bool, after: bool) {
        if before != after {
            let effect = if before { DriftEffect::Weakens } else { DriftEffect::Neutral };
            self.push(what, Some(before.to_string()), Some(after.to_string()), effect);
        }
    }

    fn signing_keys(&mut self, before: &[TrustedKey], after: &[TrustedKey]) {
        let print = |key: &TrustedKey| key.key.fingerprint().to_string();
        let label = |key: &TrustedKey| key.label.clone();
        let both = |keys: &[TrustedKey]| keys.iter().map(|key| (print(key), label(key))).collect::<Vec<_>>();
        self.keys("signing", &both(before), &both(after));
    }

    fn encryption_keys(&mut self, before: &[EncryptionKey], after: &[EncryptionKey]) {
        let print = |key: &EncryptionKey| {
            openssl::sha::sha256(&key.certificate).iter().map(|octet| format!("{octet:02x}")).collect::<String>()
        };
        let both = |keys: &[EncryptionKey]| keys.iter().map(|key| (print(key), key.label.clone())).collect::<Vec<_>>();
        let (before, after) = (both(before), both(after));
        self.keys("encryption", &before, &after);
        // What is for the partner is encrypted to its first key. A further one alone opens nothing.
        let known = |print: &str| before.iter().any(|(there, _)| there == print);
        let others = after.iter().skip(1).any(|(print, _)| known(print));
        if let (Some((_, old)), Some((print, new))) = (before.first(), after.first())
            && !known(print)
            && others
        {
            let what = "encryption keys: the first, which we encrypt to, is a new one";
            self.push(what, Some(old.clone()), Some(new.clone()), DriftEffect::Weakens);
        }
    }

    /// Keys by fingerprint and label.
    fn keys(&mut self, usage: &str, before: &[(String, String)], after: &[(String, String)]) {
        let has = |keys: &[(String, String)], print: &str| keys.iter().any(|(there, _)| there == print);
        let name = |print: &str| format!("{usage} key {}…", print.get(..16).unwrap_or(print));
        for (print, label) in after.iter().filter(|(print, _)| !has(before, print)) {
            self.push(name(print), None, Some(label.clone()), DriftEffect::Adds);
        }
        for (print, label) in before.iter().filter(|(print, _)| !has(after, print)) {
            self.push(name(print), Some(label.clone()), None, DriftEffect::Removes);
        }
        if !before.is_empty() && !before.iter().any(|(print, _)| has(after, print)) {
            let number = |keys: &[(String, String)]| Some(format!("{} keys", keys.len()));
            let what = format!("{usage} keys: none of those known is left");
            self.push(what, number(before), number(after), DriftEffect::Weakens);
        }
    }

    /// When the document ends. Who fetches one that ends sooner may have been given an old one, with keys that
    /// were taken back since, and what is in force outlives it: waiting costs nothing. One without an end
    /// would count for ever. Servers of one partner write their documents at times of
    /// their own, so less than [`BACKWARDS`] is nothing.
    fn end(&mut self, before: Option<Timestamp>, after: Option<Timestamp>) {
        let Some(old) = before else { return };
        if after.is_none_or(|new| new + BACKWARDS < old) {
            let text = after.map(Timestamp::rfc3339);
            self.push("end of the document", Some(old.rfc3339()), text, DriftEffect::Weakens);
        }
    }

    /// Addresses by what they are for. A host that nothing went to before weakens.
    fn addresses(&mut self, before: Vec<(String, Url)>, after: Vec<(String, Url)>, known: &HashSet<Origin>) {
        let (before, after) = (by_name(before), by_name(after));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let of = |list: &BTreeMap<String, Vec<Url>>, name: &String| list.get(name).cloned().unwrap_or_default();
        for name in names {
            let (old, new) = (of(&before, name), of(&after, name));
            if old == new {
                continue;
            }
            let strange = |location: &Url| !known.contains(&location.origin());
            let effect = match (old.is_empty(), new.is_empty()) {
                _ if new.iter().any(strange) => DriftEffect::Weakens,
                (true, _) => DriftEffect::Adds,
                (_, true) => DriftEffect::Removes,
                _ => DriftEffect::Neutral,
            };
            self.push(name.as_str(), shown(&old, |_| false), shown(&new, strange), effect);
        }
    }

    fn formats(&mut self, before: &[String], after: &[String]) {
        self.text("formats of names", &before.join(", "), &after.join(", "), DriftEffect::Neutral);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::type_complexity)]
mod tests {
    use super::*;
    use crate::metadata::import::import;
    use crate::metadata::sp::import_sp;
    use crate::names;
    use crate::testkit::{KeyKind, ScriptedIdp, ScriptedSp, TestKey};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn read(xml: &str) -> IdpDescription {
        import(xml.as_bytes(), None, NOW).map_err(|complaints| format!("{complaints:?}")).unwrap()
    }

    fn effects(before: &str, after: &str) -> Vec<(String, DriftEffect)> {
        idp_drift(&read(before), &read(after)).into_iter().map(|drift| (drift.what, drift.effect)).collect()
    }

    #[test]
    fn text_alone_is_no_drift() {
        let idp = ScriptedIdp::new("https://idp.example", "https://idp.example/sso");
        let xml = idp.metadata();
        let until = xml.replacen("entityID=", "validUntil=\"2030-01-01T00:00:00Z\" ID=\"_x\" entityID=", 1);
        assert_ne!(xml, until);
        assert_eq!(effects(&xml, &until), []);
    }

    #[test]
    fn a_document_that_ends_sooner_or_never_may_be_an_old_one() {
        let xml = ScriptedIdp::new("https://idp.example", "https://idp.example/sso").metadata();
        let until = |text: &str| xml.replacen("entityID=", &format!("validUntil=\"{text}\" entityID="), 1);
        let before = until("2030-01-10T00:00:00Z");
        let weaker = [("end of the document".to_owned(), DriftEffect::Weakens)];
        assert_eq!(effects(&before, &xml), weaker, "no end");
        assert_eq!(effects(&before, &until("2030-01-08T23:59:59Z")), weaker, "a day and a second sooner");
        assert_eq!(effects(&before, &until("2030-01-09T00:00:00Z")), [], "another server of the same partner");
        assert_eq!(effects(&before, &until("2030-02-01T00:00:00Z")), []);
        assert_eq!(effects(&xml, &before), []);
    }

    #[test]
    fn a_strange_address_can_t_hide_behind_many_others() {
        let sp = |strange: bool| {
            let mut sp = ScriptedSp::new("https://app.example", "https://app.example/acs");
            let address = |number| format!("https://app.example/{number}/{}", "x".repeat(600));
            sp.slo = (0..40).map(|number| (names::BINDING_REDIRECT, address(number))).collect();
            if strange {
                sp.slo.push((names::BINDING_REDIRECT, "https://evil.example/slo".into()));
            }
            import_sp(sp.metadata().as_bytes(), None, NOW).map_err(|_| "refused").unwrap()
        };
        let found = sp_drift(&sp(false), &sp(true));
        let [Drift { after: Some(after), effect: DriftEffect::Weakens, .. }] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert!(after.starts_with("https://evil.example/slo, ") && after.ends_with("and 33 more"), "{after}");
        assert!(after.len() < 8000);
    }

    #[test]
    fn keys_come_and_go_while_one_stays() {
        let keys = [(); 2].map(|()| TestKey::make(KeyKind::P256).unwrap());
        let idp = ScriptedIdp::new("https://idp.example", "https://idp.example/sso");
        let with = |keys: &[&TestKey]| idp.metadata_with(keys);
        let kinds = |before: &[&TestKey], after: &[&TestKey]| {
            effects(&with(before), &with(after)).into_iter().map(|(_, effect)| effect).collect::<Vec<_>>()
        };
        let [a, b] = [&*keys[0], &*keys[1]];
        use DriftEffect::{Adds, Removes, Weakens};
        assert_eq!(kinds(&[a], &[a, b]), [Adds]);
        assert_eq!(kinds(&[a, b], &[b]), [Removes]);
        assert_eq!(kinds(&[a], &[b]), [Adds, Removes, Weakens]);
        assert_eq!(kinds(&[a, b], &[b, a]), [], "the order carries no meaning");
    }

    #[test]
    fn a_new_key_that_we_would_encrypt_to_waits() {
        let keys = [(); 3].map(|()| TestKey::make(KeyKind::Rsa(2048)).unwrap());
        let of = |key: &std::sync::Arc<TestKey>| {
            let mut sp = ScriptedSp::new("https://app.example", "https://app.example/acs");
            sp.encryption = Some(std::sync::Arc::clone(key));
            sp.metadata()
        };
        let block = |xml: &str| {
            let from = xml.find("<md:KeyDescriptor use=\"encryption\"").unwrap();
            let end = "</md:KeyDescriptor>";
            xml[from..from + xml[from..].find(end).unwrap() + end.len()].to_owned()
        };
        let with = |order: &[usize]| {
            let xml = of(&keys[0]);
            let all: String = order.iter().map(|at| block(&of(&keys[*at]))).collect();
            let xml = xml.replacen(&block(&xml), &all, 1);
            import_sp(xml.as_bytes(), None, NOW).map_err(|_| "refused").unwrap()
        };
        let effects = |before: &[usize], after: &[usize]| {
            sp_drift(&with(before), &with(after)).iter().map(|drift| drift.effect).collect::<Vec<_>>()
        };
        use DriftEffect::{Adds, Removes, Weakens};
        assert_eq!(effects(&[0], &[1, 0]), [Adds, Weakens]);
        assert_eq!(effects(&[0, 2], &[1, 2]), [Adds, Removes, Weakens]);
        assert_eq!(effects(&[0], &[0, 1]), [Adds]);
        assert_eq!(effects(&[0, 1], &[1]), [Removes], "it was known before");
        assert_eq!(effects(&[], &[1, 0]), [Adds, Adds], "nothing was encrypted to anybody");
        assert_eq!(effects(&[0], &[1]), [Adds, Removes, Weakens], "said once");
    }

    #[test]
    fn what_would_let_somebody_else_in_weakens() {
        let idp = ScriptedIdp::new("https://idp.example", "https://idp.example/sso");
        let xml = idp.metadata();
        for (from, to, effect) in [
            ("entityID=\"https://idp.example\"", "entityID=\"https://evil.example\"", DriftEffect::Weakens),
            ("Location=\"https://idp.example/sso\"", "Location=\"https://evil.example/sso\"", DriftEffect::Weakens),
            ("Location=\"https://idp.example/sso\"", "Location=\"https://idp.example:8443/s\"", DriftEffect::Weakens),
            ("Location=\"https://idp.example/sso\"", "Location=\"https://idp.example/new\"", DriftEffect::Neutral),
            ("WantAuthnRequestsSigned=\"false\"", "WantAuthnRequestsSigned=\"true\"", DriftEffect::Neutral),
        ] {
            let changed = xml.replace(from, to);
            let found = effects(&xml, &changed);
            assert!(!found.is_empty() && found.iter().all(|(_, there)| *there == effect), "{to}: {found:?}");
        }
        let signed = xml.replace("WantAuthnRequestsSigned=\"false\"", "WantAuthnRequestsSigned=\"true\"");
        assert_eq!(effects(&signed, &xml), [("signed requests wanted".to_owned(), DriftEffect::Weakens)]);
    }

    #[test]
    fn a_service_providers_answers_stay_with_its_hosts() {
        use DriftEffect::{Adds, Neutral, Removes, Weakens};
        let sp = || {
            let mut sp = ScriptedSp::new("https://app.example", "https://app.example/acs");
            (sp.authn_requests_signed, sp.want_assertions_signed) = (Some(true), Some(true));
            sp.slo = vec![(names::BINDING_REDIRECT, "https://app.example/slo".into())];
            sp.encryption = Some(TestKey::shared());
            sp
        };
        let read = |sp: &ScriptedSp| import_sp(sp.metadata().as_bytes(), None, NOW).map_err(|_| "refused").unwrap();
        type Row = (fn(&mut ScriptedSp), &'static [DriftEffect]);
        let rows: [Row; 9] = [
            (|_| {}, &[]),
            (|sp| sp.more_acs.push("https://app.example/other".into()), &[Adds]),
            (|sp| sp.more_acs.push("https://evil.example/acs".into()), &[Weakens]),
            (|sp| sp.acs = "https://app.example/new".into(), &[Neutral, Neutral]),
            (|sp| sp.slo.clear(), &[Removes]),
            (|sp| sp.slo[0].1 = "https://evil.example/slo".into(), &[Weakens]),
            (|sp| sp.authn_requests_signed = Some(false), &[Weakens]),
            (|sp| sp.want_assertions_signed = None, &[Weakens]),
            (|sp| sp.encryption = None, &[Removes, Weakens]),
        ];
        for (number, (change, effects)) in rows.into_iter().enumerate() {
            let mut changed = sp();
            change(&mut changed);
            let found: Vec<_> = sp_drift(&read(&sp()), &read(&changed)).iter().map(|drift| drift.effect).collect();
            assert_eq!(found, effects, "row {number}");
        }
    }
}
