//! The master key: 32 octets that everything else at rest depends on.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use fedbridge_contract::services::Rng;

use crate::hmac::{Hmac, expand, extract};

/// The longest file that can be a key: 44 characters and some white space.
const MAX_FILE: u64 = 256;

/// See the module's text. It never prints.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("the master key is not 32 octets in base64 (44 characters)")]
    BadText,
    #[error("the master key file {path} can't be {action}: {cause}")]
    File { path: String, action: &'static str, cause: io::Error },
}

impl MasterKey {
    /// Reads the key from a file, and makes the file with mode 0600 when there is none.
    ///
    /// # Errors
    /// The file can't be read or made, or does not hold a key. A file that is there is never replaced.
    pub fn load_or_create(path: &Path, rng: &dyn Rng) -> Result<Self, MasterKeyError> {
        match Self::load(path) {
            Err(MasterKeyError::File { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                let mut octets = [0; 32];
                rng.fill(&mut octets);
                let key = Self(octets);
                match key.create(path) {
                    Ok(()) => Ok(key),
                    // Another process was faster: its key counts.
                    Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
                    Err(cause) => Err(failed(path, "made", cause)),
                }
            }
            other => other,
        }
    }

    /// Reads the key from a file that must be there.
    ///
    /// # Errors
    /// As [`MasterKey::load_or_create`].
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let file = File::open(path).map_err(|cause| failed(path, "read", cause))?;
        if file.metadata().is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0) {
            tracing::warn!(path = %path.display(), "others on this machine can read the master key; chmod 600 it");
        }
        let mut text = String::new();
        file.take(MAX_FILE).read_to_string(&mut text).map_err(|cause| failed(path, "read", cause))?;
        Self::from_text(&text)
    }

    /// Reads the key from base64 text, as the environment gives it.
    ///
    /// # Errors
    /// [`MasterKeyError::BadText`]; the text is not repeated.
    pub fn from_text(text: &str) -> Result<Self, MasterKeyError> {
        let bare = text.trim().trim_end_matches('=');
        let octets = STANDARD_NO_PAD.decode(bare).map_err(|_| MasterKeyError::BadText)?;
        octets.try_into().map(Self).map_err(|_| MasterKeyError::BadText)
    }

    pub const fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// A key of its own for one purpose and one tenant.
    pub(crate) fn derive(&self, purpose: &[u8], tenant: &[u8]) -> Hmac {
        Hmac::new(&expand(&extract(b"fedbridge master key", &self.0), &[purpose, &[0], tenant]))
    }

    fn create(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            fs::create_dir_all(folder)?;
        }
        // Written whole under another name first, so that no other process ever reads half a key.
        let draft = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(STANDARD.encode(self.0).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        let placed = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        placed?;
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

fn failed(path: &Path, action: &'static str, cause: io::Error) -> MasterKeyError {
    MasterKeyError::File { path: path.display().to_string(), action, cause }
}
