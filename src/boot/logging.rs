//! Structured logs: text on a terminal, else JSON, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::settings::{LogFormat, Settings};

/// Starts logging for the process. A second call changes nothing.
pub fn start(settings: &Settings) {
    let format = settings
        .log_format
        .unwrap_or_else(|| if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json });
    // The web framework tells at level info of each of its threads that it starts; nobody needs it.
    let wanted = format!("actix_server=warn,{}", settings.log_level);
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    // Tests start several servers in one process; the first one's logging stays.
    drop(started);
}
