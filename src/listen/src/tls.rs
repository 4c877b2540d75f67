//! TLS from a certificate file and a key file, with client certificates where there is a CA for them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use openssl::error::ErrorStack;
use openssl::sha::sha256;
use openssl::ssl::{
    Ssl, SslAcceptor, SslAcceptorBuilder, SslFiletype, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
};

/// A certificate and its key, read and checked against each other.
pub struct Tls {
    files: Files,
    acceptor: RwLock<SslAcceptor>,
    /// What the acceptor was made from.
    read: Mutex<Digests>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

/// Of each file; `None`: it can't be read.
type Digests = Vec<Option<[u8; 32]>>;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("OpenSSL did not start: {0}")]
    OpenSsl(#[from] ErrorStack),
    #[error("can't read a certificate chain in PEM from {path}: {cause}", path = path.display())]
    Certificate { path: PathBuf, cause: ErrorStack },
    #[error("can't read a private key in PEM from {path}: {cause}", path = path.display())]
    Key { path: PathBuf, cause: ErrorStack },
    #[error("the key in {key} does not belong to the certificate in {certificate}", key = key.display(), certificate = certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("can't read CA certificates in PEM from {path}: {cause}", path = path.display())]
    ClientCa { path: PathBuf, cause: ErrorStack },
}

impl Tls {
    /// Reads a chain in PEM, the server's certificate first, and its key. TLS 1.2 is the oldest version that is
    /// spoken, with Mozilla's intermediate list of ciphers. With `client_ca` a client may show a certificate; one
    /// that does not verify ends the handshake.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn from_files(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let files = Files { certificate, key, client_ca: client_ca.map(Path::to_owned) };
        // Before the files are read: what changes meanwhile is read again.
        let read = Mutex::new(files.digests());
        Ok(Self { acceptor: RwLock::new(files.acceptor()?), files, read })
    }

    /// Reads the files again where they have changed; it blocks. Whether they had. Connections that are there go on as
    /// they are.
    ///
    /// # Errors
    /// What is there can't be used, and what was read before stays.
    pub(crate) fn renew(&self) -> Result<bool, TlsError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.files.digests();
        if *read == now {
            return Ok(false);
        }
        let acceptor = self.files.acceptor()?;
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        *read = now;
        Ok(true)
    }

    /// The state of one connection.
    pub(crate) fn connection(&self) -> Result<Ssl, ErrorStack> {
        Ssl::new(self.acceptor.read().unwrap_or_else(PoisonError::into_inner).context())
    }
}

impl Files {
    fn digests(&self) -> Digests {
        let all = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        all.into_iter().flatten().map(|path| Some(sha256(&std::fs::read(path).ok()?))).collect()
    }

    fn acceptor(&self) -> Result<SslAcceptor, TlsError> {
        let Self { certificate, key, client_ca } = self;
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder
            .set_certificate_chain_file(certificate)
            .map_err(|cause| TlsError::Certificate { path: certificate.clone(), cause })?;
        let mismatch = || TlsError::Mismatch { certificate: certificate.clone(), key: key.clone() };
        builder.set_private_key_file(key, SslFiletype::PEM).map_err(|cause| {
            if cause.errors().iter().any(|e| e.reason().is_some_and(|r| r.contains("mismatch"))) {
                mismatch()
            } else {
                TlsError::Key { path: key.clone(), cause }
            }
        })?;
        builder.check_private_key().map_err(|_| mismatch())?;
        match client_ca {
            Some(path) => take_clients(&mut builder, path)?,
            None => builder.set_verify(SslVerifyMode::NONE),
        }
        Ok(builder.build())
    }
}

fn take_clients(builder: &mut SslAcceptorBuilder, path: &Path) -> Result<(), TlsError> {
    let unreadable = |cause| TlsError::ClientCa { path: path.to_owned(), cause };
    builder.set_ca_file(path).map_err(unreadable)?;
    builder.set_client_ca_list(openssl::x509::X509Name::load_client_ca_file(path).map_err(unreadable)?);
    builder.set_verify(SslVerifyMode::PEER);
    // A resumed session would carry a certificate that was looked at long ago.
    builder.set_options(SslOptions::NO_TICKET);
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    Ok(())
}
