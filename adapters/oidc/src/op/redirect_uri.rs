//! Redirect addresses: which may be registered, and which request matches one.
//!
//! A request is compared as text, octet by octet (RFC 9700 section 4.1.3). No parser
//! stands between the two, so there is nothing for them to disagree about. Only the
//! port of a loopback IP address may vary, for public clients (RFC 8252 section 7.3).

use fedbridge_contract::loopback::{is_https_or_loopback, is_loopback};
use url::Url;

/// Parameters of the answer. A registered address must not have them already.
const ANSWER_PARAMETERS: &[&str] =
    &["code", "state", "iss", "error", "error_description", "error_uri", "id_token", "access_token", "response"];

/// A registered redirect address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    loopback: Option<Loopback>,
}

/// `http://127.0.0.1[:port]/rest`, where the port may vary.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Loopback {
    /// Up to and with the host.
    origin: &'static str,
    /// From the path on.
    rest: String,
}

impl RedirectUri {
    /// Takes an address in, or says in one sentence why it can't be registered.
    pub fn register(text: &str, public_client: bool) -> Result<Self, String> {
        let url = check_address(text)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err("Use https; plain http is for loopback addresses only.".into()),
            scheme if public_client => check_private_scheme(scheme, &url)?,
            _ => return Err("Use https; a private scheme is for public (native) clients only.".into()),
        }
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| ANSWER_PARAMETERS.contains(&name.as_ref())) {
            return Err(format!("Take the query parameter {name} out; the answer uses that name itself."));
        }
        let loopback = if public_client { Loopback::of(text) } else { None };
        Ok(Self { text: text.to_owned(), loopback })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The host, for the sector of pairwise subjects (OpenID Connect Core 8.1).
    pub fn host(&self) -> Option<String> {
        Url::parse(&self.text).ok()?.host_str().map(str::to_owned)
    }

    pub fn matches(&self, requested: &str) -> bool {
        self.text == requested || self.loopback.as_ref().is_some_and(|loopback| loopback.matches(requested))
    }
}

/// Whether any program on a person's device could wait at a registered address: then it says nothing about which app
/// gets the answer (RFC 8252 section 8.6).
pub(crate) fn is_anybodys(registered: &str) -> bool {
    Url::parse(registered).map_or(true, |url| url.scheme() != "https")
}

impl Loopback {
    fn of(text: &str) -> Option<Self> {
        let origin = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|origin| text.starts_with(origin))?;
        let rest = after_port(text.strip_prefix(origin)?)?;
        Some(Self { origin, rest: rest.to_owned() })
    }

    fn matches(&self, requested: &str) -> bool {
        requested.strip_prefix(self.origin).and_then(after_port) == Some(self.rest.as_str())
    }
}

/// What follows an optional port; `None` where neither a port nor a path follows.
fn after_port(text: &str) -> Option<&str> {
    let Some(text) = text.strip_prefix(':') else {
        return (text.is_empty() || text.starts_with(['/', '?'])).then_some(text);
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (port, rest) = text.split_at(digits);
    let valid = !port.starts_with('0') && port.parse::<u16>().is_ok();
    (valid && (rest.is_empty() || rest.starts_with(['/', '?']))).then_some(rest)
}

/// Any other address that an app registers, such as its back-channel logout address.
pub(crate) fn check_web_address(text: &str) -> Result<(), String> {
    if is_https_or_loopback(&check_address(text)?) {
        Ok(())
    } else {
        Err("Use https; plain http is for loopback addresses only.".into())
    }
}

/// What holds for every registered address: one spelling, no tricks.
fn check_address(text: &str) -> Result<Url, String> {
    if text.len() > 2000 {
        return Err("The address is longer than 2000 characters.".into());
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}']) {
        return Err(
            "The address has characters that an address can't have; encode them (host names as punycode).".into()
        );
    }
    if text.contains('*') {
        return Err("Wildcards are not supported; list every address.".into());
    }
    if text.contains('#') {
        return Err("Take the fragment (#) out; redirect addresses have none.".into());
    }
    let url = Url::parse(text)
        .map_err(|_| "This is not an absolute address such as https://app.example/callback.".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
        return Err("Take the user name (before @) out of the address.".into());
    }
    if has_dot_segment(text) {
        return Err("Take the dot segments (. and ..) out of the path.".into());
    }
    // A parser that changes the text would make another address of it than the one that is compared.
    if url.as_str() != text && url.as_str() != with_root_path(text) {
        return Err(format!("Write the address in its normal form: {url}"));
    }
    Ok(url)
}

fn authority(text: &str) -> &str {
    let after = text.split_once("//").map_or("", |(_, rest)| rest);
    after.split(['/', '?']).next().unwrap_or_default()
}

/// `https://app.example` is how people write `https://app.example/`.
fn with_root_path(text: &str) -> String {
    let Some((scheme, after)) = text.split_once("://") else { return text.to_owned() };
    let (host, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
    if rest.starts_with('/') { text.to_owned() } else { format!("{scheme}://{host}/{rest}") }
}

fn has_dot_segment(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
    path.split(['/', ';']).any(|segment| segment == "." || segment == "..")
}

/// A reverse domain name of the app's owner, so that no web scheme can slip in (RFC 8252 section 7.1).
fn check_private_scheme(scheme: &str, url: &Url) -> Result<(), String> {
    if !scheme.contains('.') {
        return Err("A private scheme must be a reverse domain name, such as com.example.app.".into());
    }
    if url.host().is_some() {
        return Err(format!("Write a private scheme without a host: {scheme}:/callback"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn registers_what_apps_use() {
        for good in [
            "https://app.example/callback",
            "https://app.example",
            "https://app.example/",
            "https://app.example:8443/cb?tenant=1",
            "https://app.example/a%20b;v=1/cb",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:3000/cb",
            "http://[::1]:3000/cb",
            "http://localhost:3000/cb",
            "https://xn--bcher-kva.example/cb",
            "https://app.example?x=1",
        ] {
            assert_eq!(RedirectUri::register(good, false).map(|uri| uri.text().to_owned()), Ok(good.to_owned()));
        }
        assert!(RedirectUri::register("com.example.app:/oauth/cb", true).is_ok());
        assert!(RedirectUri::register("com.example.app:/oauth/cb", false).is_err());
    }

    #[test]
    fn refuses_what_attackers_register() {
        for bad in [
            "",
            "/callback",
            "//app.example/callback",
            "app.example/callback",
            "http://app.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://localhost.evil.example/cb",
            "https://*.app.example/cb",
            "https://app.example/*",
            "https://app.example/cb#x",
            "https://app.example/cb#",
            "https://user@app.example/cb",
            "https://user:pw@app.example/cb",
            "https://@app.example/cb",
            "https://app.example/a/../cb",
            "https://app.example/./cb",
            "https://app.example/%2e%2e/cb",
            "https://app.example/a/..;/cb",
            "https://app.example/a%2f..%2fcb",
            "https://app.example\\cb",
            "https://app.example/c b",
            "https://app.example/cb\n",
            "https://bücher.example/cb",
            "HTTPS://app.example/cb",
            "https://APP.example/cb",
            "https://app.example:443/cb",
            "https:app.example/cb",
            "https:///app.example/cb",
            "https://0x7f.1/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "myapp:/cb",
            "com.example.app://cb",
            "https://app.example/cb?code=1",
            "https://app.example/cb?x=1&state=2",
            "https://app.example/<script>",
        ] {
            assert!(RedirectUri::register(bad, true).is_err(), "{bad} was registered");
        }
    }

    #[test]
    fn complaints_say_what_to_do() {
        let complaint = RedirectUri::register("https://APP.example/cb", false).unwrap_err();
        assert_eq!(complaint, "Write the address in its normal form: https://app.example/cb");
    }
}
