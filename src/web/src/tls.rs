//! TLS from a certificate file and a key file.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::ssl::{SslAcceptor, SslAcceptorBuilder, SslFiletype, SslMethod};

/// A certificate and its key, read and checked against each other.
pub struct Tls(SslAcceptorBuilder);

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("OpenSSL did not start: {0}")]
    OpenSsl(ErrorStack),
    #[error("can't read a certificate chain in PEM from {path}: {cause}", path = path.display())]
    Certificate { path: PathBuf, cause: ErrorStack },
    #[error("can't read a private key in PEM from {path}: {cause}", path = path.display())]
    Key { path: PathBuf, cause: ErrorStack },
    #[error("the key in {key} does not belong to the certificate in {certificate}", key = key.display(), certificate = certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
}

impl Tls {
    /// Reads a chain in PEM, the server's certificate first, and its key. TLS 1.2 is the oldest
    /// version that is spoken, with Mozilla's intermediate list of ciphers.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).map_err(TlsError::OpenSsl)?;
        builder
            .set_certificate_chain_file(certificate)
            .map_err(|cause| TlsError::Certificate { path: certificate.to_owned(), cause })?;
        let mismatch = || TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() };
        builder.set_private_key_file(key, SslFiletype::PEM).map_err(|cause| {
            if cause.errors().iter().any(|e| e.reason().is_some_and(|r| r.contains("mismatch"))) {
                mismatch()
            } else {
                TlsError::Key { path: key.to_owned(), cause }
            }
        })?;
        builder.check_private_key().map_err(|_| mismatch())?;
        Ok(Self(builder))
    }

    pub(crate) fn into_builder(self) -> SslAcceptorBuilder {
        self.0
    }
}
