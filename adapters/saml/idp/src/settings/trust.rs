//! Whose signatures count.

use fedbridge_contract::reader::Reader;
use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::metadata::SpDescription;
use fedbridge_saml_core::trust::{Trust, TrustedKey};

/// The metadata's signing keys, without those that an admin distrusts. A service provider without a
/// signing key is legal (SAML metadata 2.4.4); then no signature of it can count.
pub(super) fn trust(
    reader: &mut Reader,
    sp: &SpDescription,
    distrusted: &[[u8; 32]],
    sha1_until: Option<Timestamp>,
) -> Option<Trust> {
    let keys: Vec<TrustedKey> =
        sp.signing.iter().filter(|key| !distrusted.contains(key.key.fingerprint().as_bytes())).cloned().collect();
    if keys.is_empty() && !sp.signing.is_empty() {
        reader.complain("distrusted_keys", "names every signing key of the metadata, so nothing could be verified");
    }
    (!keys.is_empty()).then_some(Trust { keys, sha1_until })
}
