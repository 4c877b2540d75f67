//! SASL mechanisms: PLAIN (RFC 4616) and EXTERNAL (RFC 4422 appendix A).

use fedbridge_contract::password::Password;
use fedbridge_ldap_core::{Ava, Dn};
use openssl::x509::{X509, X509NameEntryRef};

pub(crate) const PLAIN: &str = "PLAIN";
pub(crate) const EXTERNAL: &str = "EXTERNAL";

/// A name with its password, as PLAIN carries them.
pub(crate) struct Plain {
    pub(crate) name: String,
    /// `None`: no octet but NUL.
    pub(crate) password: Option<Password>,
}

/// `[authzid] NUL authcid NUL passwd`. Whoever wants to act for somebody else may not.
pub(crate) fn plain(credentials: &[u8]) -> Option<Plain> {
    let mut parts = credentials.splitn(3, |octet| *octet == 0);
    let (authorization, name, password) = (parts.next()?, parts.next()?, parts.next()?);
    let name = std::str::from_utf8(name).ok()?;
    let itself = authorization.is_empty()
        || authorization == name.as_bytes()
        || [b"dn:", &b"u:"[..]].iter().any(|form| authorization.strip_prefix(*form) == Some(name.as_bytes()));
    if name.is_empty() || !itself {
        return None;
    }
    Some(Plain { name: name.to_owned(), password: Password::new(password) })
}

/// The subject of a certificate (RFC 4514 section 2.1: the last RDN first).
pub(crate) fn subject(der: &[u8]) -> Option<Dn> {
    let certificate = X509::from_der(der).ok()?;
    let rdns: Option<Vec<_>> = certificate.subject_name().entries().map(ava).collect();
    let mut rdns = rdns?;
    rdns.reverse();
    Dn::parse(&rdns.join(",")).ok().filter(|dn| dn.rdns.iter().any(|rdn: &Vec<Ava>| !rdn.is_empty()))
}

fn ava(entry: &X509NameEntryRef) -> Option<String> {
    let object = entry.object();
    // OpenSSL's short names of these are the RFC's, which compares them without case; the others go by OID.
    let name = match object.nid().short_name() {
        Ok(name @ ("CN" | "L" | "ST" | "O" | "OU" | "C" | "street" | "DC" | "UID")) => name.to_owned(),
        _ => object.to_string(),
    };
    let value = entry.data().to_string().ok()?;
    Some(format!("{name}={}", Dn::escape(value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_written_the_other_way_round() {
        let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
        let key = openssl::pkey::PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
        let mut name = openssl::x509::X509Name::builder().unwrap();
        name.append_entry_by_text("DC", "example").unwrap();
        name.append_entry_by_text("O", "Acme, Inc.").unwrap();
        name.append_entry_by_text("CN", "app").unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_subject_name(&name.build()).unwrap();
        builder.set_not_before(&openssl::asn1::Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&openssl::asn1::Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
        let der = builder.build().to_der().unwrap();
        assert_eq!(subject(&der), Some(Dn::parse("cn=APP,o=Acme\\, Inc.,dc=example").unwrap()));
        assert_eq!(subject(b"no certificate"), None);
    }

    #[test]
    fn plain_is_three_fields() {
        let read =
            |octets: &[u8]| plain(octets).map(|it| (it.name, it.password.map(|password| password.octets().to_vec())));
        let jane = |password: &[u8]| Some(("jane".to_owned(), Some(password.to_vec())));
        assert_eq!(read(b"\0jane\0secret"), jane(b"secret"));
        assert_eq!(read(b"jane\0jane\0secret"), jane(b"secret"));
        assert_eq!(read(b"u:jane\0jane\0secret"), jane(b"secret"));
        assert_eq!(read(b"\0jane\0se\0cret"), jane(b"se\0cret"), "a password is octets");
        assert_eq!(read(b"\0jane\0"), Some(("jane".to_owned(), None)));
        for not in [&b""[..], b"jane", b"jane\0secret", b"\0\0secret", b"root\0jane\0secret", b"\0ja\xff\0secret"] {
            assert_eq!(read(not), None, "{not:?}");
        }
    }
}
