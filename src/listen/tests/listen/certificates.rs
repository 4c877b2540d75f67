//! A CA with a server's certificate and a client's, in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

pub struct Certificates {
    pub folder: PathBuf,
    pub ca: PathBuf,
    pub server: PathBuf,
    pub server_key: PathBuf,
    pub client: PathBuf,
    pub client_key: PathBuf,
}

impl Certificates {
    pub fn make(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fedbridge-listen-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ca_key = key();
        let ca = certificate(&format!("CA {name}"), &ca_key, None);
        let issuer = Some((&ca, &ca_key));
        let (server_key, client_key) = (key(), key());
        let (server, client) =
            (certificate("ldap.example", &server_key, issuer), certificate("app", &client_key, issuer));
        let write = |file: &str, octets: Vec<u8>| {
            let path = folder.join(file);
            fs::write(&path, octets).unwrap();
            path
        };
        Self {
            ca: write("ca.pem", ca.to_pem().unwrap()),
            server: write("server.pem", server.to_pem().unwrap()),
            server_key: write("server.key", server_key.private_key_to_pem_pkcs8().unwrap()),
            client: write("client.pem", client.to_pem().unwrap()),
            client_key: write("client.key", client_key.private_key_to_pem_pkcs8().unwrap()),
            folder,
        }
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(Path::new(&self.folder));
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(name: &str, key: &PKey<Private>, issuer: Option<(&X509, &PKey<Private>)>) -> X509 {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&*subject, |(issuer, _)| issuer.subject_name())).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    if issuer.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    } else {
        let context = builder.x509v3_context(None, None);
        let names = SubjectAlternativeName::new().dns(name).build(&context).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(issuer.map_or(key, |(_, key)| key), MessageDigest::sha256()).unwrap();
    builder.build()
}
