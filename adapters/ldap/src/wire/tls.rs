//! TLS to a directory, and who it is (RFC 4513 section 3.1.3).

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fedbridge_contract::services::Dialed;
use fedbridge_contract::time::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslRef, SslVerifyMode, SslVersion};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use openssl::x509::{X509, X509NameRef, X509Ref, X509VerifyResult};
use tokio_openssl::SslStream;

use super::connect::CertificateFacts;
use super::settings::{SettingsError, TlsSettings};

// OpenSSL's numbers (x509_vfy.h).
const HOSTNAME_MISMATCH: i32 = 62;
const IP_ADDRESS_MISMATCH: i32 = 64;

/// As openssl's own connectors have it: nothing without authentication, and nothing that is broken.
const CIPHERS: &str = "DEFAULT:!aNULL:!eNULL:!MD5:!3DES:!DES:!RC4:!IDEA:!SEED:!aDSS:!SRP:!PSK";

pub(super) struct Tls {
    settings: TlsSettings,
    /// Made when it is first needed, where nothing can be wrong with it: reading the system's CAs takes as long as some
    /// handshakes.
    context: OnceLock<SslContext>,
}

/// Why there is no TLS, with the certificate that came.
pub(super) struct NoTls {
    pub cause: String,
    pub certificate: Option<CertificateFacts>,
}

impl Tls {
    pub fn new(settings: TlsSettings) -> Result<Self, SettingsError> {
        let context = OnceLock::new();
        if settings.ca.is_some() || settings.client.is_some() {
            let _ = context.set(builder(&settings)?.build());
        }
        Ok(Self { settings, context })
    }

    /// The handshake, with the name that was configured. Whoever calls it limits the time.
    pub async fn begin(
        &self,
        host: &str,
        stream: Box<dyn Dialed>,
    ) -> Result<(Box<dyn Dialed>, CertificateFacts), NoTls> {
        let seen = Arc::new(Mutex::new(None));
        let failed = |cause: String| {
            let certificate = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
            NoTls { cause, certificate: certificate.as_deref().map(facts) }
        };
        let ssl = self.prepared(host, &seen).map_err(failed)?;
        let mut tls = SslStream::new(ssl, stream).map_err(|error| failed(error.to_string()))?;
        if let Err(error) = Pin::new(&mut tls).connect().await {
            let verified = tls.ssl().verify_result();
            if verified == X509VerifyResult::OK {
                return Err(failed(format!("TLS does not come about: {error}")));
            }
            let mut no = failed(String::new());
            no.cause = unfit(host, verified, no.certificate.as_ref());
            return Err(no);
        }
        let Some(certificate) = tls.ssl().peer_certificate() else {
            return Err(failed("the server has no certificate".to_owned()));
        };
        if !self.settings.pins.is_empty() && !pinned(tls.ssl(), &self.settings.pins) {
            let cause = "no key of the certificate's chain is among the connection's `pins`".to_owned();
            return Err(NoTls { cause, certificate: Some(facts(&certificate)) });
        }
        Ok((Box::new(tls), facts(&certificate)))
    }

    /// A session that checks the certificate's names, and keeps the certificate where it will not do.
    fn prepared(&self, host: &str, seen: &Arc<Mutex<Option<X509>>>) -> Result<Ssl, String> {
        let context = match self.context.get() {
            Some(context) => context,
            None => {
                let made = builder(&self.settings).map_err(|error| error.to_string())?.build();
                self.context.get_or_init(|| made)
            }
        };
        named(context, host, Arc::clone(seen)).map_err(|error| error.to_string())
    }
}

fn named(context: &SslContext, host: &str, seen: Arc<Mutex<Option<X509>>>) -> Result<Ssl, ErrorStack> {
    let mut ssl = Ssl::new(context)?;
    // A name in the subject counts for nothing, even where the certificate names no host.
    let flags = X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT;
    ssl.param_mut().set_hostflags(flags);
    match host.parse::<IpAddr>() {
        Ok(ip) => ssl.param_mut().set_ip(ip)?,
        Err(_) => {
            ssl.set_hostname(host)?;
            ssl.param_mut().set_host(host)?;
        }
    }
    ssl.set_verify_callback(SslVerifyMode::PEER, move |good, context| {
        if !good {
            let leaf = context.chain().and_then(|chain| chain.get(0)).or_else(|| context.current_cert());
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = leaf.map(ToOwned::to_owned);
        }
        good
    });
    Ok(ssl)
}

fn builder(settings: &TlsSettings) -> Result<SslContextBuilder, SettingsError> {
    let bad = |error: ErrorStack| SettingsError::Ca(error.to_string());
    let mut builder = SslContext::builder(SslMethod::tls_client()).map_err(bad)?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(bad)?;
    builder.set_cipher_list(CIPHERS).map_err(bad)?;
    builder.set_verify(SslVerifyMode::PEER);
    match &settings.ca {
        Some(pem) => trust_only(&mut builder, pem)?,
        None => builder.set_default_verify_paths().map_err(bad)?,
    }
    if let Some((certificate, key)) = &settings.client {
        present(&mut builder, certificate, key)?;
    }
    Ok(builder)
}

/// These certificates issue, and none of the system's. One in the middle of a chain will do.
fn trust_only(builder: &mut SslContextBuilder, pem: &str) -> Result<(), SettingsError> {
    let bad = |error: ErrorStack| SettingsError::Ca(error.to_string());
    let certificates = X509::stack_from_pem(pem.as_bytes()).map_err(bad)?;
    if certificates.is_empty() {
        return Err(SettingsError::Ca("there is no certificate in it".to_owned()));
    }
    let mut store = X509StoreBuilder::new().map_err(bad)?;
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN).map_err(bad)?;
    for certificate in certificates {
        store.add_cert(certificate).map_err(bad)?;
    }
    builder.set_cert_store(store.build());
    Ok(())
}

fn present(builder: &mut SslContextBuilder, certificate: &str, key: &str) -> Result<(), SettingsError> {
    let bad = |error: ErrorStack| SettingsError::ClientCertificate(error.to_string());
    let mut chain = X509::stack_from_pem(certificate.as_bytes()).map_err(bad)?.into_iter();
    let Some(own) = chain.next() else {
        return Err(SettingsError::ClientCertificate("there is no certificate in it".to_owned()));
    };
    let key = PKey::private_key_from_pem(key.as_bytes()).map_err(bad)?;
    builder.set_certificate(&own).map_err(bad)?;
    builder.set_private_key(&key).map_err(bad)?;
    for issuer in chain {
        builder.add_extra_chain_cert(issuer).map_err(bad)?;
    }
    builder
        .check_private_key()
        .map_err(|_| SettingsError::ClientCertificate("the key is not the certificate's".to_owned()))
}

fn pinned(ssl: &SslRef, pins: &[[u8; 32]]) -> bool {
    let key = |certificate: &X509Ref| certificate.public_key().and_then(|key| key.public_key_to_der()).ok();
    let matches = |certificate: &X509Ref| key(certificate).is_some_and(|der| pins.contains(&sha256(&der)));
    ssl.verified_chain().is_some_and(|chain| chain.iter().any(matches))
}

/// Why a certificate will not do, with what helps.
fn unfit(host: &str, verified: X509VerifyResult, certificate: Option<&CertificateFacts>) -> String {
    let why = verified.error_string();
    let Some(facts) = certificate else { return format!("the server's certificate will not do: {why}") };
    match verified.as_raw() {
        HOSTNAME_MISMATCH | IP_ADDRESS_MISMATCH => {
            let names = match facts.names.as_slice() {
                [] => "for no host (a common name does not count)".to_owned(),
                names => format!("for {}", names.join(", ")),
            };
            format!("the server's certificate is {names}, and not for {host}")
        }
        _ => format!("the server's certificate, issued by {}, will not do: {why}", facts.issuer),
    }
}

fn facts(certificate: &X509Ref) -> CertificateFacts {
    let alternatives = certificate.subject_alt_names();
    let names = alternatives.iter().flatten().filter_map(|name| match (name.dnsname(), name.ipaddress()) {
        (Some(dns), _) => Some(dns.to_owned()),
        (None, Some(octets)) => address(octets),
        _ => None,
    });
    CertificateFacts {
        names: names.collect(),
        issuer: words(certificate.issuer_name()),
        not_after: timestamp(certificate.not_after()),
    }
}

fn address(octets: &[u8]) -> Option<String> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(|four| std::net::Ipv4Addr::from(four).to_string()),
        16 => <[u8; 16]>::try_from(octets).ok().map(|all| std::net::Ipv6Addr::from(all).to_string()),
        _ => None,
    }
}

fn words(name: &X509NameRef) -> String {
    let known = [Nid::COMMONNAME, Nid::ORGANIZATIONNAME, Nid::ORGANIZATIONALUNITNAME];
    let first = known.into_iter().find_map(|nid| name.entries_by_nid(nid).next());
    let text = first.and_then(|entry| entry.data().to_string().ok());
    super::error::said(&text.unwrap_or_else(|| "somebody without a name".to_owned()))
}

fn timestamp(time: &Asn1TimeRef) -> Option<Timestamp> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(Timestamp::from_seconds(i64::from(since.days) * 86_400 + i64::from(since.secs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The system's own settings may allow more.
    #[test]
    fn nothing_older_than_tls_1_2_is_spoken() {
        let mut builder = builder(&TlsSettings::default()).unwrap();
        assert_eq!(builder.min_proto_version(), Some(SslVersion::TLS1_2));
    }

    #[test]
    fn certificates_that_are_none_are_refused_when_they_are_set() {
        for ca in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let settings = TlsSettings { ca: Some(ca.to_owned()), ..TlsSettings::default() };
            assert!(matches!(Tls::new(settings), Err(SettingsError::Ca(_))), "{ca}");
        }
    }
}
