//! What the demo prints: the claims, addresses to open, commands to run.

use std::io::Write as _;
use std::path::PathBuf;

use fedbridge_contract::ids::TraceId;
use serde_json::Value;

use super::recorded::Recorded;
use super::tenants::{CONNECTION, CORP, DEMO};

pub struct Addresses<'a> {
    pub base_url: &'a str,
    pub start: &'a str,
    pub logout: &'a str,
}

/// # Errors
/// When nobody reads it.
pub fn print(claims: &Value, addresses: &Addresses<'_>, recorded: &Recorded) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let road = road();
    let (addresses, commands) = (addresses.text(), commands(recorded));
    writeln!(out, "{claims:#}\n\n{road}\n{addresses}\n{commands}\nCtrl-C stops the demo.")?;
    Ok(out.flush()?)
}

fn road() -> String {
    format!(
        "Dora logged in, and these are her claims as the demo's app got them. Two tenants of this fedbridge took
part, a company and one with the app. The directory and the app are scripted; all between them is real:

  the company's directory
    | SAML      signed
  tenant {CORP}
    | SAML      signed twice, encrypted, under a name for Dora that only these two use
  tenant {DEMO}
    | OpenID    the claims above
  the demo's app

Then she logged out of the app, and the logout went up the same road.
"
    )
}

impl Addresses<'_> {
    fn text(&self) -> String {
        let Self { base_url, start, logout } = self;
        format!(
            "fedbridge is up at {base_url}. To open:

  log in with a browser   {start}
  and out again           {logout}
  OpenID configuration    {base_url}/t/{DEMO}/.well-known/openid-configuration
  SAML SP metadata        {base_url}/t/{DEMO}/connections/{CONNECTION}/saml/metadata
  SAML IdP metadata       {base_url}/t/{CORP}/saml/metadata
"
        )
    }
}

/// Commands as this program was called: it need not be on the PATH, and its store is in a folder.
fn commands(recorded: &Recorded) -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    let called = PathBuf::from(std::env::args_os().next().unwrap_or_else(|| "fedbridge".into()));
    // A bare name would be looked for on the PATH.
    let short = called.strip_prefix(&folder).ok().filter(|short| short.components().count() > 1);
    let program = short.unwrap_or(&called).display().to_string();
    let show = |id: &TraceId| format!("{program} trace show {id}");
    let replay = |id: &TraceId| format!("{program} trace replay {id}");
    let (corp, demo) = (&recorded.corp, &recorded.demo);
    let all = [
        (
            format!("the login at {CORP}: what the directory said, how it was checked, what was released to {DEMO}"),
            show(&corp.login),
        ),
        (
            format!("the same login at {DEMO}: the answer of {CORP} decrypted and checked, the rule behind each claim"),
            show(&demo.login),
        ),
        (format!("the logout at {DEMO}, which the app asked for"), show(&demo.logout)),
        (format!("the logout at {CORP}, which {DEMO} asked for"), show(&corp.logout)),
        (format!("the login at {CORP} decided again, from what was recorded"), replay(&corp.login)),
        (format!("the login at {DEMO} decided again"), replay(&demo.login)),
        ("all logins and logouts".to_owned(), format!("{program} trace list")),
    ];
    let mut text =
        format!("Both tenants recorded every step. To look at it, in another terminal, in {}:\n\n", folder.display());
    for (what, command) in all {
        text.push_str(&format!("  {what}\n    {command}\n"));
    }
    text
}
