//! Certificates for tests, made when they are needed.

use std::net::IpAddr;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

/// Signs certificates.
#[derive(Clone)]
pub struct Authority(Identity);

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    pub certificate: X509,
    pub key: PKey<Private>,
}

/// What a certificate is for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub common: String,
    /// Subject alternative names; none at all leaves the extension out.
    pub dns: Vec<String>,
    pub ip: Vec<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// A month from now.
    Now,
    /// The first day of 1970.
    Over,
}

impl Names {
    /// Of this machine.
    pub fn local() -> Self {
        Self { common: "localhost".into(), dns: vec!["localhost".into()], ip: vec![IpAddr::from([127, 0, 0, 1])] }
    }

    pub fn dns(name: &str) -> Self {
        Self { common: name.into(), dns: vec![name.into()], ip: Vec::new() }
    }

    /// Without alternative names.
    pub fn common_alone(name: &str) -> Self {
        Self { common: name.into(), ..Self::default() }
    }
}

impl Authority {
    /// # Errors
    /// OpenSSL could not make the key.
    pub fn new() -> Result<Self, ErrorStack> {
        let key = key()?;
        let name = name("Test CA")?;
        let mut builder = builder(&key, &name, Validity::Now)?;
        builder.set_issuer_name(&name)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self(Identity { certificate: builder.build(), key }))
    }

    /// # Errors
    /// OpenSSL could not make it.
    pub fn issue(&self, names: &Names) -> Result<Identity, ErrorStack> {
        self.issue_for(names, Validity::Now)
    }

    /// # Errors
    /// As of [`Self::issue`].
    pub fn issue_for(&self, names: &Names, validity: Validity) -> Result<Identity, ErrorStack> {
        let key = key()?;
        let mut builder = builder(&key, &name(&names.common)?, validity)?;
        builder.set_issuer_name(self.0.certificate.subject_name())?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build()?)?;
        if !names.dns.is_empty() || !names.ip.is_empty() {
            let mut alternative = SubjectAlternativeName::new();
            for name in &names.dns {
                alternative.dns(name);
            }
            for ip in &names.ip {
                alternative.ip(&ip.to_string());
            }
            let alternative = alternative.build(&builder.x509v3_context(Some(&self.0.certificate), None))?;
            builder.append_extension(alternative)?;
        }
        builder.sign(&self.0.key, MessageDigest::sha256())?;
        Ok(Identity { certificate: builder.build(), key })
    }

    pub fn certificate(&self) -> &X509 {
        &self.0.certificate
    }

    /// # Errors
    /// OpenSSL could not write it.
    pub fn pem(&self) -> Result<String, ErrorStack> {
        self.0.pem()
    }
}

impl Identity {
    /// The certificate.
    ///
    /// # Errors
    /// OpenSSL could not write it.
    pub fn pem(&self) -> Result<String, ErrorStack> {
        Ok(String::from_utf8_lossy(&self.certificate.to_pem()?).into_owned())
    }

    /// # Errors
    /// OpenSSL could not write it.
    pub fn key_pem(&self) -> Result<String, ErrorStack> {
        Ok(String::from_utf8_lossy(&self.key.private_key_to_pem_pkcs8()?).into_owned())
    }

    /// SHA-256 of the public key's description: what a pin holds.
    ///
    /// # Errors
    /// OpenSSL could not write it.
    pub fn pin(&self) -> Result<[u8; 32], ErrorStack> {
        Ok(openssl::sha::sha256(&self.key.public_key_to_der()?))
    }
}

fn key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn name(common: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, common)?;
    Ok(name.build())
}

fn builder(key: &PKey<Private>, subject: &X509Name, validity: Validity) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let mut serial = [0; 16];
    openssl::rand::rand_bytes(&mut serial)?;
    // Positive, and of 16 octets.
    serial[0] = serial[0] & 0x7f | 0x40;
    builder.set_serial_number(&*BigNum::from_slice(&serial)?.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_pubkey(key)?;
    let (from, to) = match validity {
        Validity::Now => (Asn1Time::from_unix(0)?, Asn1Time::days_from_now(30)?),
        Validity::Over => (Asn1Time::from_unix(0)?, Asn1Time::from_unix(86_400)?),
    };
    builder.set_not_before(&from)?;
    builder.set_not_after(&to)?;
    Ok(builder)
}
