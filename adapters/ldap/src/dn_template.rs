//! The template of a DN, as `users.dn` has it: `uid={username},ou=people,dc=acme,dc=example`. What was typed stands for
//! the value of an attribute and for nothing else.

use fedbridge_contract::text::one_of;
use fedbridge_ldap_core::Dn;

/// What may stand in braces.
pub const PLACEHOLDERS: &[&str] = &["username", "local", "domain"];

/// A DN with places to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnTemplate {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(&'static str),
}

impl DnTemplate {
    /// # Errors
    /// Where the text is wrong, in octets, and why.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut pieces = Vec::new();
        let mut done = 0;
        while let Some(open) = text[done..].find('{').map(|at| at + done) {
            let close = text[open..].find('}').map(|at| at + open);
            let close = close.ok_or_else(|| (open, "the brace has no end".to_owned()))?;
            let name = &text[open + 1..close];
            let place = PLACEHOLDERS.iter().find(|known| **known == name);
            let known = PLACEHOLDERS.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>();
            let known = one_of(&known.iter().map(String::as_str).collect::<Vec<_>>());
            let place = place.ok_or_else(|| (open, format!("`{{{name}}}` is not known here; use {known}")))?;
            pieces.push(Piece::Text(text[done..open].to_owned()));
            pieces.push(Piece::Place(place));
            done = close + 1;
        }
        pieces.push(Piece::Text(text[done..].to_owned()));
        let template = Self { pieces };
        template.check()
    }

    /// The DN of what was typed, each value escaped (RFC 4514 section 2.4).
    pub fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(name) => Dn::escape(value(name).as_bytes()),
        });
        pieces.collect()
    }

    fn check(self) -> Result<Self, (usize, String)> {
        let names_somebody = |piece: &Piece| matches!(piece, Piece::Place("username" | "local"));
        if !self.pieces.iter().any(names_somebody) {
            return Err((0, "it has no {username}, so everybody would be the same entry".to_owned()));
        }
        let filled = |sample: &str| Dn::parse(&self.fill(|_| sample.to_owned()));
        // The place of a fault in a filled text is near the one in the template, and exact before the first brace.
        let first = filled("x").map_err(|at| (at, "it is no DN (RFC 4514)".to_owned()))?;
        let second = filled("y").map_err(|at| (at, "it is no DN (RFC 4514)".to_owned()))?;
        let types = |dn: &Dn| dn.rdns.iter().flatten().map(|ava| ava.attribute.clone()).collect::<Vec<_>>();
        if types(&first) != types(&second) {
            return Err((0, "a name in braces stands for a value, not for the name of an attribute".to_owned()));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, name: &str) -> String {
        DnTemplate::parse(template).unwrap().fill(|_| name.to_owned())
    }

    #[test]
    fn what_was_typed_is_one_value() {
        let people = "uid={username},ou=people,dc=acme";
        assert_eq!(filled(people, "alice"), "uid=alice,ou=people,dc=acme");
        for name in ["a,ou=x", "a+b=c", "#1", " a", "a ", "\"", "a\\", "a<b>;=", "\u{fc}", "*)(uid=*"] {
            let dn = Dn::parse(&filled(people, name)).unwrap();
            assert_eq!(dn.rdns.len(), 3, "{name}: {dn:?}");
            assert_eq!(dn.rdns[0].len(), 1, "{name}: {dn:?}");
        }
    }

    #[test]
    fn a_template_is_judged_with_the_place_of_its_fault() {
        for (template, at, says) in [
            ("uid={usrname},ou=people", 4, "`{usrname}` is not known"),
            ("uid={username,ou=people", 4, "no end"),
            ("ou=people,dc=acme", 0, "no {username}"),
            ("{username}=x,ou=people", 0, "the name of an attribute"),
        ] {
            let (place, why) = DnTemplate::parse(template).unwrap_err();
            assert!(place == at && why.contains(says), "{template}: {place}: {why}");
        }
        let (_, why) = DnTemplate::parse("uid={username},people").unwrap_err();
        assert!(why.contains("no DN"), "{why}");
    }
}
