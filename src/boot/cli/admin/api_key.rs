//! `admin api-key create | list | revoke | rotate`

use std::collections::BTreeSet;
use std::time::Duration;

use fedbridge_contract::services::random_text;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::admin::{ApiKey, ApiKeyId, ApiKeyState, Reach, Scope, check_name, key_text};
use fedbridge_hub::ports::{AdminStoreError, ApiKeyStore as _, Rotation};
use fedbridge_hub::spec::Configuration;
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::cli::output::{note, print, table};
use crate::foundation::Foundation;
use crate::settings::values::duration;

use super::{later, near, reach, safe, tenant_slug};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// No key lives longer, so that each is looked at once a year.
const MAX_LIFETIME: Duration = DAY.saturating_mul(366);

/// Two texts of one key are for the time of a roll-out.
const MAX_OVERLAP: Duration = DAY.saturating_mul(30);

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key and print it, once
    #[command(after_help = concat!(
        "Examples:\n  fedbridge admin api-key create --name ci --scope config:read config:write --expires 90d\n  fedbridge admin api-key create --name reports --scope traces:read --tenant acme --expires 30d\n\nScopes: config:read, config:write, traces:read, people:read, people:write, keys:rotate, audit:read. None contains another.\nOnly the key goes to standard output. It is kept as a hash, and can't be shown again.\n",
        later!()
    ))]
    Create(CreateArgs),
    /// Show the keys, without what they are
    #[command(after_help = "Example:\n  fedbridge admin api-key list --json")]
    List(ListArgs),
    /// End a key now, for good
    #[command(after_help = "Example:\n  fedbridge admin api-key revoke ci")]
    Revoke(NamedArgs),
    /// Give a key a new text and print it, once; the one before stays good for a while
    #[command(after_help = concat!(
        "Examples:\n  fedbridge admin api-key rotate ci\n  fedbridge admin api-key rotate ci --overlap 0s\n\nName, scopes and expiry stay. At most two texts are good at a time.\n",
        later!()
    ))]
    Rotate(RotateArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// Name of the key, unique among the keys of the tenant or the installation: a-z, 0-9, and . _ - @ +
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What the key may do; several at once, or the flag several times
    #[arg(long, value_name = "SCOPE", required = true, num_args = 1.., value_delimiter = ',')]
    scope: Vec<String>,
    /// Only inside this tenant [default: the whole installation]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// How long the key is good, at most 366d
    #[arg(long, value_name = "TIME")]
    expires: String,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct NamedArgs {
    /// Name of the key
    name: String,
    /// The tenant that the key belongs to [default: a key of the whole installation]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    #[command(flatten)]
    key: NamedArgs,
    /// How long the text before stays good, at most 30d; 0s ends it now
    #[arg(long, value_name = "TIME", default_value = "24h")]
    overlap: String,
}

pub async fn run(foundation: &Foundation, configuration: &Configuration, args: Args) -> Result<(), CliError> {
    match args.command {
        Command::Create(args) => create(foundation, configuration, &args).await,
        Command::List(args) => list(foundation, configuration, &args).await,
        Command::Revoke(args) => revoke(foundation, configuration, &args).await,
        Command::Rotate(args) => rotate(foundation, configuration, &args).await,
    }
}

async fn create(foundation: &Foundation, configuration: &Configuration, args: &CreateArgs) -> Result<(), CliError> {
    let refused = |causes| CliError::refused("the API key was not made; nothing was changed", causes);
    let mut wrong = Vec::new();
    if let Err(message) = check_name(&args.name) {
        wrong.push(format!("--name: `{}` can't be a name; {message}", safe(&args.name)));
    }
    let scopes: BTreeSet<_> = args.scope.iter().filter_map(|word| scope(word, &mut wrong)).collect();
    let lifetime = span("--expires", &args.expires, MAX_LIFETIME, &mut wrong);
    if lifetime.is_some_and(|lifetime| lifetime.is_zero()) {
        wrong.push("--expires: a key that is good for no time is good for nothing; write for example 90d".to_owned());
    }
    let reach = reach(configuration, args.tenant.as_deref(), &mut wrong);
    let (Some(lifetime), Some(reach), true) = (lifetime, reach, wrong.is_empty()) else {
        return Err(refused(wrong).advise("correct what is named above; `--help` lists the scopes and shows examples"));
    };

    let now = foundation.clock.now();
    let (id, text, hash) = new_text(foundation, None);
    let new = ApiKey {
        id,
        name: args.name.clone(),
        reach,
        scopes,
        created: now,
        expires: now + lifetime,
        hash,
        rotated: None,
        previous: None,
        revoked: None,
    };
    match foundation.system.create_api_key(&new).await {
        Ok(()) => {}
        Err(AdminStoreError::Store(error)) => return Err(error.into()),
        Err(_) => {
            let cause = format!("there is an API key `{}` already; a name is never used again", new.name);
            let advice = format!(
                "choose another name, or give the key that is there a new text with `fedbridge admin api-key rotate {}`",
                new.name
            );
            return Err(refused(vec![cause]).advise(advice));
        }
    }
    let expires = new.expires.rfc3339_seconds();
    note(&format!("API key {} was made; it is shown once, and is good until {expires}:", new.name));
    print(&format!("{text}\n"))?;
    note(later!());
    Ok(())
}

async fn list(foundation: &Foundation, configuration: &Configuration, args: &ListArgs) -> Result<(), CliError> {
    let all = foundation.system.api_keys().await?;
    let now = foundation.clock.now();
    if args.json {
        let list: Value = all.iter().map(|key| as_json(key, configuration, now)).collect();
        return print(&format!("{list:#}\n"));
    }
    if all.is_empty() {
        return print("there is no API key yet; `fedbridge admin api-key create` makes one\n");
    }
    let rows: Vec<_> = all.iter().map(|key| as_row(key, configuration, now)).collect();
    let headings = ["NAME", "TENANT", "STATE", "CREATED", "EXPIRES", "ROTATED", "REVOKED", "ID", "SCOPES"];
    print(&table(&headings, &rows))
}

async fn revoke(foundation: &Foundation, configuration: &Configuration, args: &NamedArgs) -> Result<(), CliError> {
    let key = find(foundation, configuration, args, "no API key was revoked; nothing was changed").await?;
    if foundation.system.revoke_api_key(key.id, foundation.clock.now()).await? {
        return print(&format!("API key {} is revoked\n", key.name));
    }
    print(&format!("API key {} was revoked before; nothing was changed\n", key.name))
}

async fn rotate(foundation: &Foundation, configuration: &Configuration, args: &RotateArgs) -> Result<(), CliError> {
    const UNCHANGED: &str = "the API key was not rotated; nothing was changed";
    let mut wrong = Vec::new();
    let Some(overlap) = span("--overlap", &args.overlap, MAX_OVERLAP, &mut wrong) else {
        return Err(CliError::refused(UNCHANGED, wrong).advise("write for example --overlap 24h"));
    };
    let key = find(foundation, configuration, &args.key, UNCHANGED).await?;
    let now = foundation.clock.now();
    let ended = match key.state(now) {
        ApiKeyState::Active => None,
        ApiKeyState::Expired => Some(format!("`{}` expired {}", key.name, key.expires.rfc3339_seconds())),
        ApiKeyState::Revoked => Some(format!("`{}` is revoked", key.name)),
    };
    if let Some(cause) = ended {
        return Err(CliError::refused(UNCHANGED, vec![cause])
            .advise("make a new key under another name with `fedbridge admin api-key create`"));
    }
    let (id, text, hash) = new_text(foundation, Some(key.id));
    let previous_until = (now + overlap).min(key.expires);
    let rotation = Rotation { id, expected: key.hash, hash, previous_until, now };
    match foundation.system.rotate_api_key(rotation).await {
        Ok(()) => {}
        Err(AdminStoreError::Store(error)) => return Err(error.into()),
        Err(error) => {
            return Err(CliError::failed(UNCHANGED, error)
                .advise("look at the key with `fedbridge admin api-key list`, then run the command again"));
        }
    }
    let older = key.overlap_until(now).is_some();
    let before = match (overlap.is_zero(), older) {
        (true, false) => "the text before is void now".to_owned(),
        (true, true) => "both texts before are void now".to_owned(),
        (false, _) => format!("the text before stays good until {}", previous_until.rfc3339_seconds()),
    };
    let older = if older && !overlap.is_zero() { "; the one before that is void now" } else { "" };
    note(&format!("{before}{older}\nthe new text of API key {} is shown once:", key.name));
    print(&format!("{text}\n"))?;
    note(later!());
    Ok(())
}

/// A text that is a key's own: its id, the text, and the hash to keep.
fn new_text(foundation: &Foundation, id: Option<ApiKeyId>) -> (ApiKeyId, String, [u8; 32]) {
    let rng = foundation.rng.as_ref();
    let id = id.unwrap_or_else(|| ApiKeyId::random(rng));
    let text = key_text(id, &random_text::<32>(rng));
    let hash = openssl::sha::sha256(text.as_bytes());
    (id, text, hash)
}

fn scope(word: &str, wrong: &mut Vec<String>) -> Option<Scope> {
    let scope = Scope::from_name(word);
    if scope.is_none() {
        let known = Scope::ALL.iter().map(|scope| scope.name());
        wrong.push(format!("--scope: there is no scope `{}`{}", safe(word), near(word, known)));
    }
    scope
}

fn span(flag: &str, text: &str, most: Duration, wrong: &mut Vec<String>) -> Option<Duration> {
    match duration(text) {
        Ok(span) if span <= most => Some(span),
        Ok(_) => {
            wrong.push(format!("{flag}: `{text}` is too long; at most {}d", most.as_secs() / DAY.as_secs()));
            None
        }
        Err(message) => {
            wrong.push(format!("{flag}: {}", safe(&message)));
            None
        }
    }
}

/// The key that a command names.
async fn find(
    foundation: &Foundation,
    configuration: &Configuration,
    args: &NamedArgs,
    unchanged: &str,
) -> Result<ApiKey, CliError> {
    let mut wrong = Vec::new();
    let Some(reach) = reach(configuration, args.tenant.as_deref(), &mut wrong) else {
        return Err(CliError::refused(unchanged, wrong).advise("`fedbridge admin api-key list` shows the tenants"));
    };
    let all = foundation.system.api_keys().await?;
    if let Some(found) = all.iter().find(|key| key.reach == reach && key.name == args.name) {
        return Ok(found.clone());
    }
    let of = if reach == Reach::Installation { "of the whole installation" } else { "of this tenant" };
    let hint = match all.iter().find(|key| key.name == args.name).map(|key| tenant_slug(configuration, key.reach)) {
        Some(Some(slug)) => format!("; the tenant `{slug}` has one: add --tenant {slug}"),
        Some(None) => "; the whole installation has one: leave --tenant out".to_owned(),
        None => near(&args.name, all.iter().filter(|key| key.reach == reach).map(|key| key.name.as_str())),
    };
    let cause = format!("there is no API key `{}` {of}{hint}", safe(&args.name));
    Err(CliError::refused(unchanged, vec![cause]).advise("look for the name with `fedbridge admin api-key list`"))
}

fn as_row(key: &ApiKey, configuration: &Configuration, now: Timestamp) -> Vec<String> {
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), Timestamp::rfc3339_seconds);
    vec![
        key.name.clone(),
        tenant_slug(configuration, key.reach).unwrap_or_else(|| "-".to_owned()),
        key.state(now).name().to_owned(),
        time(Some(key.created)),
        time(Some(key.expires)),
        time(key.rotated),
        time(key.revoked),
        key.id.to_string(),
        words(key).join(" "),
    ]
}

fn as_json(key: &ApiKey, configuration: &Configuration, now: Timestamp) -> Value {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "scopes": words(key),
        "tenant": tenant_slug(configuration, key.reach),
        "state": key.state(now).name(),
        "created": key.created.rfc3339(),
        "expires": key.expires.rfc3339(),
        "rotated": key.rotated.map(Timestamp::rfc3339),
        "overlap_until": key.overlap_until(now).map(Timestamp::rfc3339),
        "revoked": key.revoked.map(Timestamp::rfc3339),
    })
}

fn words(key: &ApiKey) -> Vec<&'static str> {
    key.scopes.iter().map(|scope| scope.name()).collect()
}
