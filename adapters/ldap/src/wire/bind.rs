//! Who a connection speaks for (RFC 4511 section 4.2). Passwords are octets, and are erased from what is ours once they
//! are sent.

use bytes::Bytes;
use fedbridge_contract::password::Password;
use fedbridge_ldap_core::password_policy::PASSWORD_POLICY;
use fedbridge_ldap_core::{Auth, Code, Control, Op};

use super::channel::{Channel, Erased, push, push_header, sized};
use super::error::{WireError, said};
use super::settings::Account;

/// What a directory says to a name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindResult {
    pub code: Code,
    /// The server's own words: Active Directory hides the reason in it.
    pub diagnostic: String,
    pub matched: String,
    pub controls: Vec<Control>,
    /// Who answered: `host:port`.
    pub server: String,
}

const VERSION: u8 = 3;

/// Binds as a person, and asks what the password's policy says; servers without one ignore that.
pub(super) async fn as_person(channel: &mut Channel, name: &str, password: &Password) -> Result<BindResult, WireError> {
    if password.octets().first() == Some(&0) {
        // A server that reads texts up to their first zero reads none: such a bind proves nothing, and may succeed
        // (RFC 4513 section 5.1.2).
        return Ok(BindResult {
            code: Code::INVALID_CREDENTIALS,
            diagnostic: "not asked: the password begins with a zero octet".to_owned(),
            matched: String::new(),
            controls: Vec::new(),
            server: channel.server().to_string(),
        });
    }
    simple(channel, name, password, Some(PASSWORD_POLICY)).await
}

/// Binds as the service account.
pub(super) async fn as_account(channel: &mut Channel, account: &Account) -> Result<(), WireError> {
    let result = match account {
        Account::Anonymous => return Ok(()),
        Account::Simple { dn, password } => simple(channel, dn, password, None).await?,
        Account::External => external(channel).await?,
    };
    match result.code {
        Code::SUCCESS => Ok(()),
        // Not our account's fault: another server may do it.
        Code::BUSY | Code::UNAVAILABLE => {
            Err(channel.lost(format!("it binds nobody now (code {}): {}", result.code.0, said(&result.diagnostic))))
        }
        code => Err(WireError::refused(channel.server(), code.0, &result.diagnostic)),
    }
}

async fn simple(
    channel: &mut Channel,
    name: &str,
    password: &Password,
    control: Option<&str>,
) -> Result<BindResult, WireError> {
    if name.is_empty() {
        // RFC 4513 section 5.1: without a name it is no authentication, whatever the password.
        return Err(WireError::NotSent("a bind needs a name".to_owned()));
    }
    let id = channel.number();
    {
        let request = request(id, name, password.octets(), control);
        channel.send(&request.0).await?;
    }
    read(channel, id).await
}

/// SASL EXTERNAL (RFC 4422 appendix A): whom the certificate names. No other identity is asked for.
async fn external(channel: &mut Channel) -> Result<BindResult, WireError> {
    let auth = Auth::Sasl { mechanism: "EXTERNAL".to_owned(), credentials: Some(Bytes::new()) };
    let bind = Op::Bind { version: i64::from(VERSION), name: String::new(), auth };
    let id = channel.begin(bind, Vec::new()).await?;
    read(channel, id).await
}

async fn read(channel: &mut Channel, id: i32) -> Result<BindResult, WireError> {
    let message = channel.answer(id).await?;
    let Op::BindDone { result, .. } = message.op else {
        return Err(channel.lost("it answers a bind with something else"));
    };
    if result.code == Code::SASL_BIND_IN_PROGRESS {
        return Err(channel.lost("it goes on with a bind that has nothing more to say"));
    }
    Ok(BindResult {
        code: result.code,
        diagnostic: result.text,
        matched: result.matched,
        controls: message.controls,
        server: channel.server().to_string(),
    })
}

/// The message, written once into as much memory as it takes: none of it is left behind by growing.
fn request(id: i32, name: &str, password: &[u8], control: Option<&str>) -> Erased {
    let number = id.to_be_bytes();
    let bind = sized(1) + sized(name.len()) + sized(password.len());
    let (controls, one) = match control {
        Some(oid) => (sized(sized(sized(oid.len()))), sized(oid.len())),
        None => (0, 0),
    };
    let message = sized(number.len()) + sized(bind) + controls;
    let mut octets = Vec::with_capacity(sized(message));
    push_header(&mut octets, 0x30, message);
    push(&mut octets, 0x02, &number);
    push_header(&mut octets, 0x60, bind);
    push(&mut octets, 0x02, &[VERSION]);
    push(&mut octets, 0x04, name.as_bytes());
    push(&mut octets, 0x80, password);
    if let Some(oid) = control {
        push_header(&mut octets, 0xa0, sized(one));
        push_header(&mut octets, 0x30, one);
        push(&mut octets, 0x04, oid.as_bytes());
    }
    Erased(octets)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use fedbridge_ldap_core::frame::REQUEST_DEPTH;
    use fedbridge_ldap_core::{Framer, Message};

    use super::*;

    #[test]
    fn a_request_is_what_the_codec_reads() {
        for length in [1, 127, 128, 255, 256, 70_000] {
            let (name, password) = ("c".repeat(length), vec![0xff; length]);
            for control in [None, Some(PASSWORD_POLICY)] {
                let octets = request(7, &name, &password, control);
                assert_eq!(octets.0.len(), octets.0.capacity(), "nothing was moved");
                let mut buffer = BytesMut::from(&octets.0[..]);
                let frame = Framer::new(1 << 20, REQUEST_DEPTH).next(&mut buffer).unwrap().unwrap();
                let message = Message::read(&frame).unwrap();
                let auth = Auth::Simple(Bytes::from(password.clone()));
                assert_eq!(message.op, Op::Bind { version: 3, name: name.clone(), auth });
                assert_eq!((message.id, buffer.len()), (7, 0));
                assert_eq!(
                    message.controls.first().map(|it| (it.oid.as_str(), it.critical)),
                    control.map(|it| (it, false))
                );
            }
        }
    }
}
