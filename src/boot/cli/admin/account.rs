//! `admin create`, `admin list`

use std::time::Duration;

use fedbridge_contract::services::random_text;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::admin::{Administrator, AdministratorId, Reach, Role, Setup, SetupCode, check_name};
use fedbridge_hub::ports::{AdminStore as _, AdminStoreError};
use fedbridge_hub::spec::Configuration;
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::cli::output::{note, print, table};
use crate::foundation::Foundation;

use super::{later, near, reach, safe, tenant_slug};

/// How long a setup code is good.
const SETUP_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Name to sign in with, unique in the installation: a-z, 0-9, and . _ - @ +
    #[arg(long, value_name = "NAME")]
    name: String,
    /// owner, operator, tenant-admin, auditor or help-desk [default: owner, as long as there is none]
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// The tenant to govern, for tenant-admin, auditor and help-desk
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// Print a new setup code for an administrator that exists; the code before is void
    #[arg(long, conflicts_with_all = ["role", "tenant"])]
    renew: bool,
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub async fn create(foundation: &Foundation, configuration: &Configuration, args: CreateArgs) -> Result<(), CliError> {
    let existing = foundation.system.administrators().await?;
    let now = foundation.clock.now();
    let text = random_text::<32>(foundation.rng.as_ref());
    let code = SetupCode { hash: openssl::sha::sha256(text.as_bytes()), expires: now + SETUP_LIFETIME };
    let done = if args.renew {
        renew(foundation, &existing, &args.name, code).await?
    } else {
        let (role, reach) = wanted(configuration, &existing, &args)?;
        let new = Administrator {
            id: AdministratorId::random(foundation.rng.as_ref()),
            name: args.name,
            role,
            reach,
            created: now,
            setup: Setup::Pending(code),
        };
        match foundation.system.create_administrator(&new).await {
            Ok(()) => format!("administrator {} was made, with the role {}", new.name, new.role.name()),
            Err(AdminStoreError::Store(error)) => return Err(error.into()),
            Err(_) => return Err(taken(&new.name)),
        }
    };
    note(&format!(
        "{done}\nthis setup code is shown once, and is good for one use until {}:",
        code.expires.rfc3339_seconds()
    ));
    print(&format!("{text}\n"))?;
    note(later!());
    Ok(())
}

pub async fn list(foundation: &Foundation, configuration: &Configuration, args: ListArgs) -> Result<(), CliError> {
    let all = foundation.system.administrators().await?;
    let now = foundation.clock.now();
    if args.json {
        let list: Value = all.iter().map(|one| as_json(one, configuration, now)).collect();
        return print(&format!("{list:#}\n"));
    }
    if all.is_empty() {
        return print("there is no administrator yet; `fedbridge admin create` makes the first\n");
    }
    let rows: Vec<_> = all.iter().map(|one| as_row(one, configuration, now)).collect();
    print(&table(&["NAME", "ROLE", "TENANT", "CREATED", "SETUP"], &rows))
}

/// Reads the flags; everything that is wrong with them comes at once.
fn wanted(
    configuration: &Configuration,
    existing: &[Administrator],
    args: &CreateArgs,
) -> Result<(Role, Reach), CliError> {
    if existing.iter().any(|one| one.name == args.name) {
        return Err(taken(&args.name));
    }
    let mut wrong = Vec::new();
    if let Err(message) = check_name(&args.name) {
        wrong.push(format!("--name: `{}` can't be a name; {message}", safe(&args.name)));
    }
    let role = role(args.role.as_deref(), existing, &mut wrong);
    let reach = reach(configuration, args.tenant.as_deref(), &mut wrong);
    if let (Some(role), Some(reach)) = (role, reach)
        && let Err(message) = role.fits(reach)
    {
        wrong.push(format!("--tenant: {message}"));
    }
    match (role, reach) {
        (Some(role), Some(reach)) if wrong.is_empty() => Ok((role, reach)),
        _ => Err(CliError::refused("the administrator was not made; nothing was changed", wrong)
            .advise("correct what is named above; `fedbridge admin create --help` shows examples")),
    }
}

fn role(word: Option<&str>, existing: &[Administrator], wrong: &mut Vec<String>) -> Option<Role> {
    let known = || Role::ALL.iter().map(|role| role.name());
    let Some(word) = word else {
        if existing.iter().all(|one| one.role != Role::Owner) {
            return Some(Role::Owner);
        }
        let words: Vec<_> = known().collect();
        wrong.push(format!("--role: there is an owner already, so say the role: {}", words.join(", ")));
        return None;
    };
    let role = Role::from_name(word);
    if role.is_none() {
        wrong.push(format!("--role: there is no role `{}`{}", safe(word), near(word, known())));
    }
    role
}

async fn renew(
    foundation: &Foundation,
    existing: &[Administrator],
    name: &str,
    code: SetupCode,
) -> Result<String, CliError> {
    match foundation.system.renew_setup(name, code).await {
        Ok(()) => Ok(format!("administrator {name} has a new setup code; the one before is void")),
        Err(AdminStoreError::Store(error)) => Err(error.into()),
        Err(_) => {
            let hint = near(name, existing.iter().map(|one| one.name.as_str()));
            let cause = format!("there is no administrator `{}`{hint}", safe(name));
            Err(CliError::refused("no setup code was made; nothing was changed", vec![cause])
                .advise("look for the name with `fedbridge admin list`, or leave --renew out to make the account"))
        }
    }
}

fn taken(name: &str) -> CliError {
    let cause = format!("there is an administrator `{name}` already");
    let advice =
        format!("choose another name, or run `fedbridge admin create --name {name} --renew` for a new setup code");
    CliError::refused("the administrator was not made; nothing was changed", vec![cause]).advise(advice)
}

fn as_row(one: &Administrator, configuration: &Configuration, now: Timestamp) -> Vec<String> {
    let setup = match one.setup {
        Setup::Pending(code) if now < code.expires => {
            format!("code good until {}", code.expires.rfc3339_seconds())
        }
        Setup::Pending(code) => format!("code expired {}", code.expires.rfc3339_seconds()),
        Setup::Done => "done".to_owned(),
    };
    vec![
        one.name.clone(),
        one.role.name().to_owned(),
        tenant_slug(configuration, one.reach).unwrap_or_else(|| "-".to_owned()),
        one.created.rfc3339_seconds(),
        setup,
    ]
}

fn as_json(one: &Administrator, configuration: &Configuration, now: Timestamp) -> Value {
    let (setup, expires) = match one.setup {
        Setup::Pending(code) if now < code.expires => ("pending", Some(code.expires)),
        Setup::Pending(code) => ("expired", Some(code.expires)),
        Setup::Done => ("done", None),
    };
    json!({
        "id": one.id.to_string(),
        "name": one.name,
        "role": one.role.name(),
        "tenant": tenant_slug(configuration, one.reach),
        "created": one.created.rfc3339(),
        "setup": setup,
        "setup_expires": expires.map(Timestamp::rfc3339),
    })
}
