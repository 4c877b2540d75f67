//! References to other servers (RFC 4511 sections 4.1.10 and 4.5.3): followed to hosts that the connection names, over
//! TLS, and never with a person's password.

use std::sync::Arc;

use fedbridge_ldap_core::{Code, Filter, Scope};

use super::connect::within;
use super::error::{Stage, WireError};
use super::search::{Answers, Pages, Search, too_many};
use super::session::Session;
use super::settings::Encryption;
use super::upstream::Upstream;

/// References that are kept of one answer.
pub(super) const MOST_REFERENCES: usize = 64;

/// How often a search may go on behind a server that it went on to.
const DEPTH: u32 = 5;

/// How often it may in all: each answer can refer to many, and each of them again.
pub(super) const MOST_HOPS: u32 = 64;

/// A search that goes on elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Continued {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    pub search: Search,
    pub depth: u32,
}

impl Upstream {
    /// Follows the references of an answer.
    pub(super) async fn go_on(self: &Arc<Self>, search: &Search, answers: &mut Answers) -> Result<(), WireError> {
        let ahead = self.sort_out(search, answers, 0);
        if ahead.is_empty() {
            return Ok(());
        }
        Box::pin(self.follow_all(ahead, answers)).await
    }

    async fn follow_all(self: &Arc<Self>, mut ahead: Vec<Continued>, answers: &mut Answers) -> Result<(), WireError> {
        let mut hops = 0;
        while let Some(continued) = ahead.pop() {
            hops += 1;
            if hops > MOST_HOPS || answers.is_full() {
                answers.result = too_many().result;
                break;
            }
            let mut session = self.elsewhere(&continued).await?;
            let server = session.server().to_owned();
            let gathered = Pages::new(continued.search.clone()).gather(&mut session);
            let mut found = within(&server, Stage::Search, self.timeouts.search, gathered).await?;
            ahead.extend(self.sort_out(&continued.search, &mut found, continued.depth));
            answers.entries.append(&mut found.entries);
            answers.references.append(&mut found.references);
            // A referral is no result of its own: what is behind it is.
            if answers.result.code == Code::REFERRAL || found.result.code != Code::SUCCESS {
                answers.result = found.result;
            }
        }
        Ok(())
    }

    /// Takes the references that are followed out of an answer.
    fn sort_out(&self, search: &Search, answers: &mut Answers, depth: u32) -> Vec<Continued> {
        let (mut ahead, mut left) = (Vec::new(), Vec::new());
        for uri in std::mem::take(&mut answers.references) {
            match self.continued(&uri, search, depth) {
                Some(continued) => ahead.push(continued),
                None => left.push(uri),
            }
        }
        answers.references = left;
        ahead
    }

    pub(super) fn continued(&self, uri: &str, search: &Search, depth: u32) -> Option<Continued> {
        follow(uri, search, depth, &self.referrals, self.connector.encryption)
    }

    /// A connection to where a search goes on, bound as the service account.
    pub(super) async fn elsewhere(&self, continued: &Continued) -> Result<Session, WireError> {
        let look = self.connector.look(&continued.host, continued.port, continued.encryption);
        Box::pin(self.bound(async { Ok(look.await.map_err(|not| not.error)?.0) })).await
    }
}

/// What to do with a reference. `None`: nothing.
fn follow(uri: &str, search: &Search, depth: u32, allowed: &[String], encryption: Encryption) -> Option<Continued> {
    let url = LdapUrl::parse(uri)?;
    if depth >= DEPTH || !allowed.iter().any(|host| host.eq_ignore_ascii_case(&url.host)) {
        return None;
    }
    let (encryption, port) = match (url.tls, encryption) {
        (true, _) => (Encryption::Tls, url.port.unwrap_or(636)),
        (false, Encryption::StartTls | Encryption::Tls) => (Encryption::StartTls, url.port.unwrap_or(389)),
        // Another machine, in clear.
        (false, Encryption::Clear) => return None,
    };
    let mut search = search.clone();
    if let Some(base) = url.base {
        search.base = base;
    }
    // RFC 4511 section 4.5.3: the scope of a reference below a single level is its base alone.
    search.scope = url.scope.unwrap_or(match search.scope {
        Scope::One => Scope::Base,
        other => other,
    });
    if let Some(filter) = url.filter {
        search.filter = filter;
    }
    Some(Continued { host: url.host, port, encryption, search, depth: depth + 1 })
}

/// `ldap[s]://host[:port]/dn?attributes?scope?filter` (RFC 4516 section 2).
#[derive(Debug, PartialEq)]
struct LdapUrl {
    tls: bool,
    host: String,
    port: Option<u16>,
    base: Option<String>,
    scope: Option<Scope>,
    filter: Option<Filter>,
}

impl LdapUrl {
    /// `None`: it is none that we can follow.
    fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ldap" => false,
            "ldaps" => true,
            _ => return None,
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = host_and_port(authority)?;
        let mut parts = path.split('?');
        let base = decoded(parts.next()?)?;
        // Which attributes are wanted is ours to say.
        let _attributes = parts.next();
        let scope = match parts.next().unwrap_or_default() {
            "" => None,
            "base" => Some(Scope::Base),
            "one" => Some(Scope::One),
            "sub" => Some(Scope::Sub),
            _ => return None,
        };
        let filter = match parts.next().unwrap_or_default() {
            "" => None,
            text => Some(Filter::parse(&decoded(text)?).ok()?),
        };
        // An extension that must be understood.
        if parts.next().is_some_and(|extensions| extensions.split(',').any(|one| one.starts_with('!'))) {
            return None;
        }
        Some(Self { tls, host, port, base: Some(base).filter(|base| !base.is_empty()), scope, filter })
    }
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            (host, behind.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) => Some(digits.parse().ok()?),
    };
    let host = decoded(host)?.to_ascii_lowercase();
    (!host.is_empty()).then_some((host, port))
}

/// Percent-decoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
        // `from_str_radix` takes a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &behind[2..];
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search() -> Search {
        Search::new("dc=a", Scope::Sub, Filter::Present("cn".to_owned()))
    }

    fn allowed() -> Vec<String> {
        vec!["dc2.ad.example".to_owned(), "2001:db8::5".to_owned()]
    }

    fn to(uri: &str, encryption: Encryption) -> Option<Continued> {
        follow(uri, &search(), 0, &allowed(), encryption)
    }

    #[test]
    fn only_to_hosts_that_are_named_and_never_in_clear() {
        for (uri, encryption) in [
            ("ldap://attacker.example/dc=a", Encryption::Tls),
            ("ldaps://attacker.example/dc=a", Encryption::Tls),
            ("ldap://dc2.ad.example@attacker.example/dc=a", Encryption::Tls),
            ("ldap://attacker.example/?dc2.ad.example", Encryption::Tls),
            ("ldap://dc2.ad.example.attacker.example/", Encryption::Tls),
            ("ldap://dc2.ad.example/dc=a", Encryption::Clear),
            ("ldapi://dc2.ad.example/dc=a", Encryption::Tls),
            ("http://dc2.ad.example/dc=a", Encryption::Tls),
            ("ldaps:///dc=a", Encryption::Tls),
            ("ldaps://dc2.ad.example:99999/", Encryption::Tls),
            ("ldaps://dc2.ad.example/dc=a????!x-strange", Encryption::Tls),
            ("dc2.ad.example", Encryption::Tls),
        ] {
            assert!(to(uri, encryption).is_none(), "{uri}");
        }
    }

    #[test]
    fn where_it_goes_on() {
        let found = to("ldap://DC2.ad.example/OU=B%20C,DC=a??one?(sn=%28x)", Encryption::Tls);
        assert!(found.is_none(), "the filter is none");
        let found = to("ldap://DC2.ad.example/OU=B%20C,DC=a??one?(sn=x)", Encryption::Tls).unwrap();
        assert_eq!((found.host.as_str(), found.port, found.encryption), ("dc2.ad.example", 389, Encryption::StartTls));
        assert_eq!((found.search.base.as_str(), found.search.scope), ("OU=B C,DC=a", Scope::One));
        assert_eq!(found.search.filter.print(), "(sn=x)");
        let found = to("ldaps://[2001:db8::5]:1636", Encryption::StartTls).unwrap();
        assert_eq!((found.port, found.encryption, found.search.base.as_str()), (1636, Encryption::Tls, "dc=a"));
        let found = follow("ldaps://dc2.ad.example/", &search(), 4, &allowed(), Encryption::Tls).unwrap();
        assert_eq!(found.depth, 5);
        assert!(follow("ldaps://dc2.ad.example/", &search(), 5, &allowed(), Encryption::Tls).is_none());
    }

    #[test]
    fn a_single_level_goes_on_at_the_base() {
        let one = Search { scope: Scope::One, ..search() };
        let found = follow("ldaps://dc2.ad.example/ou=b", &one, 0, &allowed(), Encryption::Tls).unwrap();
        assert_eq!(found.search.scope, Scope::Base);
    }
}
