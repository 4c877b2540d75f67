//! A certificate authority of the test's own.

use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};

pub struct Authority {
    folder: PathBuf,
    /// Its certificate, in a file.
    pub ca: PathBuf,
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate and its key, in files.
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path) -> Self {
        let key = key();
        let name = name("Test CA");
        let mut builder = builder(&name, &name, &key);
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        let ca = folder.join("our-ca.pem");
        std::fs::write(&ca, certificate.to_pem().unwrap()).unwrap();
        Self { folder: folder.to_owned(), ca, certificate, key }
    }

    /// For a server at 127.0.0.1 and at these host names.
    pub fn server(&self, file: &str, hosts: &[&str]) -> Issued {
        let key = key();
        let mut builder = builder(&name("ldap.test"), self.certificate.subject_name(), &key);
        let mut names = SubjectAlternativeName::new();
        names.ip("127.0.0.1");
        for host in hosts {
            names.dns(host);
        }
        let names = names.build(&builder.x509v3_context(Some(&self.certificate), None)).unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let issued = Issued {
            certificate: self.folder.join(format!("{file}.crt")),
            key: self.folder.join(format!("{file}.key")),
        };
        std::fs::write(&issued.certificate, builder.build().to_pem().unwrap()).unwrap();
        std::fs::write(&issued.key, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        issued
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn name(text: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
    name.build()
}

fn builder(subject: &X509NameRef, issuer: &X509NameRef, key: &PKey<Private>) -> X509Builder {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(30).unwrap()).unwrap();
    builder
}
