//! `ldap`: what LDAP apps ask, and the least that they must be allowed.

use std::fmt::Write as _;
use std::process::ExitCode;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::directory::Shape;
use fedbridge_contract::text::nearest;
use fedbridge_contract::trace::clip;
use fedbridge_hub::ports::{ConfigStore as _, ShapeStore as _, StoredShape};
use fedbridge_hub::spec::{Configuration, StoredApp, TenantConfiguration};
use serde_json::json;

use crate::foundation::Foundation;
use crate::registry::{self, LearntLdapApp};
use crate::settings::Settings;

use super::CliError;
use super::output::{escaped, print};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge ldap learned acme/jenkins")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the least-privilege entry of an app that was in learning mode
    #[command(
        after_help = "Example:\n  fedbridge ldap learned acme/jenkins\n\nSet `learn: true` at the app in the bridge file, let it work for a while, and put what is printed in\nits place. No value that it asked with is kept."
    )]
    Learned(Learned),
}

#[derive(Debug, clap::Args)]
struct Learned {
    /// TENANT/APP
    name: String,
    /// Print JSON, with every shape that was seen
    #[arg(long)]
    json: bool,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let Command::Learned(args) = args.command;
    let foundation = Foundation::open(&settings).await?;
    let configuration = foundation.system.load().await?;
    let (tenant, app) = find(&configuration, &args.name)?;
    let shapes = foundation.system.shapes(tenant.tenant.id, app.id).await?;
    let directory = tenant.tenant.spec.extras.ldap.as_ref();
    let base = directory.map_or("", |directory| &directory.base_dn);
    let seen: Vec<Shape> = shapes.iter().map(|stored| stored.shape.clone()).collect();
    let size_limit = directory.map_or(u32::MAX, |directory| directory.size_limit);
    let learnt = registry::ldap_learnt(&seen, base, size_limit);
    foundation.store.close().await?;
    let text = if args.json { as_json(app, &learnt, &shapes) } else { as_yaml(app, &args.name, &learnt, &shapes) };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(
    configuration: &'a Configuration,
    wanted: &str,
) -> Result<(&'a TenantConfiguration, &'a StoredApp), CliError> {
    let all: Vec<_> = configuration
        .tenants
        .values()
        .flat_map(|tenant| tenant.apps.iter().map(move |app| (tenant, app)))
        .filter(|(_, app)| app.spec.kind == AppKind::LdapApp)
        .map(|(tenant, app)| (format!("{}/{}", tenant.tenant.spec.slug, app.spec.name), tenant, app))
        .collect();
    if let Some((_, tenant, app)) = all.iter().find(|(name, ..)| name == wanted) {
        return Ok((tenant, app));
    }
    let hint = nearest(wanted, all.iter().map(|(name, ..)| name.as_str()));
    let hint = hint.map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
    Err(CliError::refused(format!("there is no LDAP app `{wanted}`{hint}"), Vec::new()))
}

/// An entry for `ldap_directory.apps`. What stands in it is a name of an attribute or a DN of ours.
fn as_yaml(app: &StoredApp, name: &str, learnt: &LearntLdapApp, shapes: &[StoredShape]) -> String {
    let mut text = format!("# {name}: {}\n", summary(shapes));
    for remark in &learnt.remarks {
        let _ = writeln!(text, "# {}", clip(remark.clone()));
    }
    text.push_str("# Its password, groups and other settings stay as they are.\n");
    let _ = writeln!(text, "- slug: {}", app.spec.name);
    let _ = writeln!(text, "  attributes: [{}]", learnt.attributes.join(", "));
    let _ = writeln!(text, "  filter_attributes: [{}]", learnt.filter_attributes.join(", "));
    if let Some(base) = &learnt.base {
        let _ = writeln!(text, "  base: {}", json!(base));
    }
    if let Some(size) = learnt.size_limit {
        let _ = writeln!(text, "  limits: {{ size: {size} }}");
    }
    text.push_str("  learn: false\n");
    text
}

fn summary(shapes: &[StoredShape]) -> String {
    let count: u64 = shapes.iter().map(|stored| stored.count).sum();
    let first = shapes.iter().map(|stored| stored.first).min();
    let last = shapes.iter().map(|stored| stored.last).max();
    match first.zip(last) {
        None => "nothing was seen".to_owned(),
        Some((first, last)) => format!(
            "{count} operations of {} shapes, from {} to {}",
            shapes.len(),
            first.rfc3339_seconds(),
            last.rfc3339_seconds()
        ),
    }
}

fn as_json(app: &StoredApp, learnt: &LearntLdapApp, shapes: &[StoredShape]) -> String {
    let seen = shapes.iter().map(|stored| {
        json!({
            "shape": stored.shape, "count": stored.count, "first": stored.first.rfc3339(), "last": stored.last.rfc3339(),
        })
    });
    let value = json!({
        "slug": app.spec.name,
        "attributes": learnt.attributes,
        "filter_attributes": learnt.filter_attributes,
        "base": learnt.base,
        "size_limit": learnt.size_limit,
        "remarks": learnt.remarks,
        "shapes": seen.collect::<Vec<_>>(),
    });
    escaped(&format!("{value:#}\n"))
}
