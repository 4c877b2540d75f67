//! Self-signed certificates for SAML metadata. Nobody checks their chain or
//! dates (SAML metadata interoperability profile 2.6); some products show them.

use std::time::Duration;

use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::time::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKeyRef, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use openssl::x509::{X509Builder, X509NameBuilder};

const YEARS: u64 = 10;
const DAY: Duration = Duration::from_secs(86_400);

/// The longest common name that X.520 allows, in characters.
const MAX_COMMON_NAME: usize = 64;

/// DER of a certificate for 10 years, from a day before `now` (clocks differ).
pub fn self_signed(
    key: &PKeyRef<Private>,
    purpose: KeyPurpose,
    common_name: &str,
    now: Timestamp,
) -> Result<Vec<u8>, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    let common_name: String = common_name.chars().take(MAX_COMMON_NAME).collect();
    name.append_entry_by_nid(Nid::COMMONNAME, &common_name)?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;

    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_not_before(&*Asn1Time::from_unix((now - DAY).seconds())?)?;
    builder.set_not_after(&*Asn1Time::from_unix((now + DAY * 365 * YEARS as u32).seconds())?)?;
    builder.set_pubkey(key)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    let mut usage = KeyUsage::new();
    match purpose {
        KeyPurpose::SamlDecryption | KeyPurpose::OidcDecryption => usage.key_encipherment(),
        KeyPurpose::Oidc | KeyPurpose::SamlSigning | KeyPurpose::OidcClient => usage.digital_signature(),
    };
    builder.append_extension(usage.critical().build()?)?;
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(identifier)?;
    builder.sign(key, MessageDigest::sha256())?;
    builder.build().to_der()
}
