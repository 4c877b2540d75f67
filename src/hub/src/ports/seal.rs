//! Sealing: authenticated encryption under the master key.

/// The octets were not sealed for this place, or were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed data does not open: wrong master key, wrong place, or damaged")]
pub struct SealError;

/// AEAD. `place` says whose data this is (tenant, table, row) and is authenticated,
/// so that a sealed value can't be moved elsewhere.
pub trait Sealer: Send + Sync {
    fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8>;
    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError>;
}
