//! `plan` and `apply`: one engine, and the same print.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fedbridge_contract::keys::{KeyPurpose, KeyState};
use fedbridge_contract::upstream::Level;
use fedbridge_hub::mapping::{AppRules, Mapping};
use fedbridge_hub::ports::{ApplyError, ConfigStore};
use fedbridge_hub::spec::{ConfigChange, Configuration, Managed, StoredKey};
use fedbridge_keys::{TenantName, client_keys, generate_key, initial_keys};

use crate::bridge::desired::Desired;
use crate::bridge::plan::{self, Effect, KeyWish, NewKeys, Options, Outcome, Plan};
use crate::bridge::{self, Context};
use crate::foundation::Foundation;
use crate::registry;
use crate::serve::Schema;
use crate::settings::Settings;
use crate::survey::Survey;

use super::CliError;
use super::output::{Paint, print};

/// A second writer may come between reading and applying; a server that starts tries again so often.
const ATTEMPTS: usize = 5;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge plan -f bridge.yaml --exit-code\n\nIt opens the store, and brings its schema up to date; nothing else is changed."
)]
pub struct PlanArgs {
    /// Bridge file, or a folder of them
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// End with 3 where something would change
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    allow: Allow,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge apply -f bridge.yaml\n\nIt brings the store's schema up to date first.")]
pub struct ApplyArgs {
    /// Bridge file, or a folder of them
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    allow: Allow,
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct Allow {
    /// Delete objects that were made elsewhere and are not in the file
    #[arg(long)]
    prune: bool,
    /// Delete tenants and connections together with their people
    #[arg(long)]
    allow_delete: bool,
}

impl From<Allow> for Options {
    fn from(allow: Allow) -> Self {
        Self { prune: allow.prune, allow_delete: allow.allow_delete }
    }
}

pub async fn plan(settings: Settings, args: PlanArgs) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    // Nothing is kept, so no keys are made.
    let outcome = prepare(&foundation, &settings, &args.file, args.allow.into(), &|_, _, _| Ok(Vec::new())).await?;
    let mut text = render(&outcome.plan.effects, Paint::stdout());
    for refusal in &outcome.refusals {
        text.push_str(&format!("! {refusal}\n"));
    }
    for (name, advice) in advice(&foundation, &outcome.plan).await? {
        text.push_str(&Paint::stdout().dim(&format!("· {name}: {advice}\n")));
    }
    print(&text)?;
    foundation.store.close().await?;
    let changes = !outcome.plan.is_empty();
    Ok(if args.exit_code && changes { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// What the partners' metadata suggests about objects that the plan makes or changes. Never applied.
async fn advice(foundation: &Foundation, plan: &Plan) -> Result<Vec<(String, String)>, CliError> {
    let touched: BTreeSet<&str> = plan
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Add(object) | Effect::Change { object, .. } => Some(object.name.as_str()),
            Effect::Delete { .. } | Effect::Unmanaged(_) => None,
        })
        .collect();
    if touched.is_empty() {
        return Ok(Vec::new());
    }
    let preview = plan.preview(&foundation.system.load().await?);
    let services = foundation.quiet_services();
    let builder = foundation.builder(registry::upstreams(), services.clone());
    let (downstreams, now) = (registry::downstreams(&services), foundation.clock.now());
    let mut survey = Survey::default();
    for tenant in preview.tenants.values() {
        let slug = tenant.tenant.spec.slug.as_str();
        let concerned = touched.iter().any(|name| name.split_once('/').is_some_and(|(tenant, _)| tenant == slug));
        if let (true, Ok(open)) = (concerned, builder.tenant(tenant)) {
            survey.add_tenant(&open, &downstreams, now).await;
        }
    }
    let lines = survey.lines.into_iter();
    let lines = lines.filter(|(name, found)| found.level == Level::Advice && touched.contains(name.as_str()));
    Ok(lines.map(|(name, found)| (name, found.text)).collect())
}

pub async fn apply(settings: Settings, args: ApplyArgs) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    let text = carry_out(&foundation, &settings, &args.file, args.allow.into(), Paint::stdout(), 1).await?;
    print(&text)?;
    foundation.store.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// What `serve --apply` does before any listener opens; gives back the printed plan.
pub async fn before_serving(settings: &Settings, schema: Schema, file: &Path) -> Result<String, CliError> {
    let foundation = match schema {
        Schema::UpToDate => Foundation::open(settings).await?,
        Schema::AsItIs => Foundation::open_as_is(settings).await?,
    };
    let text = carry_out(&foundation, settings, file, Options::default(), Paint::plain(), ATTEMPTS).await?;
    foundation.store.close().await?;
    Ok(text)
}

/// What `demo` does: the file's tenants stand beside what is there. Nothing else is deleted, and no
/// bridge file owns them afterwards; one that owns such a tenant already keeps it.
pub async fn beside(settings: &Settings, file: &Path) -> Result<(), CliError> {
    let foundation = Foundation::open(settings).await?;
    let new_keys = |id, slug: &str, wish| make_keys(&foundation, TenantName { id, slug }, wish);
    let store: &dyn ConfigStore = foundation.system.as_ref();
    let rng = foundation.rng.as_ref();
    for attempt in 1.. {
        let mut current = foundation.system.load().await?;
        let desired = load(&foundation, settings, file, &current).await?;
        current.tenants.retain(|_, tenant| desired.tenants.iter().any(|wanted| wanted.slug == tenant.tenant.spec.slug));
        if let Some(theirs) = current.tenants.values().find(|tenant| tenant.tenant.managed == Managed::File) {
            let slug = &theirs.tenant.spec.slug;
            let sentence = format!("the tenant `{slug}` is of a bridge file already; nothing was changed");
            return Err(CliError::refused(sentence, Vec::new())
                .advise("use another store for this, for example FEDBRIDGE_DATABASE_URL=sqlite://data/demo.db"));
        }
        let Outcome { mut plan, .. } =
            plan::plan(&desired, &current, store, Options::default(), rng, foundation.clock.now(), &new_keys).await?;
        for change in &mut plan.changes {
            match change {
                ConfigChange::PutTenant(tenant) => tenant.managed = Managed::Elsewhere,
                ConfigChange::PutConnection(connection) => connection.managed = Managed::Elsewhere,
                ConfigChange::PutApp(app) => app.managed = Managed::Elsewhere,
                _ => {}
            }
        }
        match foundation.system.apply(plan.version, &plan.changes).await {
            Ok(_) => break,
            Err(ApplyError::Conflict) if attempt < ATTEMPTS => {}
            Err(ApplyError::Store(error)) => return Err(error.into()),
            Err(error) => {
                return Err(CliError::failed("the sample tenants could not be made; nothing was changed", error));
            }
        }
    }
    foundation.store.close().await?;
    Ok(())
}

async fn carry_out(
    foundation: &Foundation,
    settings: &Settings,
    file: &Path,
    options: Options,
    paint: Paint,
    attempts: usize,
) -> Result<String, CliError> {
    let new_keys = |id, slug: &str, wish| make_keys(foundation, TenantName { id, slug }, wish);
    for attempt in 1.. {
        let Outcome { plan, refusals } = prepare(foundation, settings, file, options, &new_keys).await?;
        if !refusals.is_empty() {
            return Err(CliError::refused("the plan may not be carried out; nothing was changed", refusals)
                .advise("run `fedbridge plan` with the same file to see all of it"));
        }
        if plan.is_empty() {
            return Ok(render(&plan.effects, paint));
        }
        match foundation.system.apply(plan.version, &plan.changes).await {
            Ok(_) => return Ok(render(&plan.effects, paint)),
            Err(ApplyError::Conflict) if attempt < attempts => {}
            Err(error @ ApplyError::Conflict) => {
                return Err(CliError::failed("the file was not applied; nothing was changed", error)
                    .advise("run the command again; it compares with what is there then"));
            }
            Err(error @ ApplyError::HasPeople { .. }) => {
                let sentence = "the plan may not be carried out; nothing was changed";
                return Err(CliError::refused(sentence, vec![error.to_string()]));
            }
            Err(ApplyError::Store(error)) => return Err(error.into()),
        }
    }
    Ok(String::new())
}

/// Keys that a plan asks for.
pub fn make_keys(foundation: &Foundation, tenant: TenantName<'_>, wish: KeyWish) -> Result<Vec<StoredKey>, String> {
    let (now, sealer) = (foundation.clock.now(), foundation.sealer.as_ref());
    let keys = match wish {
        KeyWish::Client(connection, algorithm) => client_keys(tenant, connection, algorithm, now, sealer),
        KeyWish::Initial => initial_keys(tenant, now, sealer),
        KeyWish::Tokens(algorithm) => [KeyState::Active, KeyState::Next]
            .into_iter()
            .map(|state| generate_key(tenant, KeyPurpose::Oidc, algorithm, state, now, sealer))
            .collect(),
    };
    keys.map_err(|error| error.to_string())
}

/// Reads the file and compares it with the store.
async fn prepare(
    foundation: &Foundation,
    settings: &Settings,
    file: &Path,
    options: Options,
    new_keys: NewKeys<'_>,
) -> Result<Outcome, CliError> {
    let store: &dyn ConfigStore = foundation.system.as_ref();
    let current = store.load().await?;
    let desired = load(foundation, settings, file, &current).await?;
    Ok(plan::plan(&desired, &current, store, options, foundation.rng.as_ref(), foundation.clock.now(), new_keys)
        .await?)
}

/// Reads a bridge file with everything that this build knows.
pub async fn load(
    foundation: &Foundation,
    settings: &Settings,
    file: &Path,
    current: &Configuration,
) -> Result<Desired, CliError> {
    registry::init().map_err(|cause| CliError::failed("the XML security library is not safe to use", cause))?;
    let services = foundation.quiet_services();
    let context = Context {
        env: &|name| std::env::var(name).ok(),
        base_url: &settings.base_url,
        configuration: current,
        registry: &registry::upstreams(),
        downstreams: &registry::downstreams(&services),
        services: &services,
        check_mapping: &|spec, protocol| Mapping::compile(spec, protocol).err().unwrap_or_default(),
        check_app_rules: &|spec| AppRules::compile(spec).err().unwrap_or_default(),
    };
    let what = file.display().to_string();
    bridge::load(file, &context).await.map_err(|complaints| CliError::mistakes(&what, complaints))
}

fn render(effects: &[Effect], paint: Paint) -> String {
    let mut text = String::new();
    for effect in effects {
        let line = effect.to_string();
        let line = match effect {
            Effect::Add(_) => paint.green(&line),
            Effect::Change { .. } => paint.yellow(&line),
            Effect::Delete { .. } => paint.red(&line),
            Effect::Unmanaged(_) => paint.dim(&line),
        };
        text.push_str(&line);
        text.push('\n');
    }
    if effects.iter().all(|effect| matches!(effect, Effect::Unmanaged(_))) {
        text.push_str("nothing to change\n");
    }
    text
}
