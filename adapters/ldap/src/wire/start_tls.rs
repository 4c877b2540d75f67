//! TLS begun on a connection in clear (RFC 4511 section 4.14).

use fedbridge_contract::services::Dialed;
use fedbridge_ldap_core::{Code, Op};

use super::channel::Channel;
use super::error::{WireError, said};

const OID: &str = "1.3.6.1.4.1.1466.20037";

/// Asks for TLS, and gives the stream on which the handshake comes next. Anything but a yes, with nothing behind it, ends
/// the connection: octets that came in clear are not from whom the certificate will name (RFC 4513 section 3.1.1).
pub(super) async fn ask(mut channel: Channel) -> Result<Box<dyn Dialed>, WireError> {
    let server = channel.server().to_string();
    let insecure = |cause: String| WireError::Insecure { server: server.clone(), cause };
    let answer = channel.ask(Op::Extended { oid: OID.to_owned(), value: None }, Vec::new()).await?;
    match answer.op {
        Op::ExtendedDone { result, .. } if result.code == Code::SUCCESS => {}
        Op::ExtendedDone { result, .. } => {
            return Err(insecure(format!("StartTLS is refused with code {}: {}", result.code.0, said(&result.text))));
        }
        _ => return Err(insecure("it answers StartTLS with something else".to_owned())),
    }
    channel.into_stream().ok_or_else(|| insecure("octets in clear came behind its yes to StartTLS".to_owned()))
}
