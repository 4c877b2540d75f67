//! The metrics page: Prometheus' text format on the management listener.

use std::sync::atomic::Ordering;

use fedbridge_contract::logout::{Channel, Told};
use fedbridge_contract::services::Counters;
use fedbridge_hub::run::{Observer, RecorderStats};
use fedbridge_store::StoreStats;
use fedbridge_web::{Observe, Served};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds. A request without a database takes tens of microseconds, a login with a person minutes.
const REQUEST_BUCKETS: &[f64] =
    &[0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
const LOGIN_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Installs the process-wide recorder.
///
/// # Errors
/// When one is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("fedbridge_http_request_seconds".into()), REQUEST_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full("fedbridge_login_seconds".into()), LOGIN_BUCKETS)?
        .install_recorder()?;
    describe_counter!("fedbridge_logins_total", "Logins that ended, by tenant, connection and result");
    describe_histogram!(
        "fedbridge_login_seconds",
        "From the app's request to the answer, the person's own time included"
    );
    describe_counter!("fedbridge_logout_notices_total", "Parties told of a logout, by channel and by what came of it");
    describe_counter!(
        "fedbridge_signals_total",
        "Signals pushed to receivers, by what came of it: sent, refused, failed for now, or expired"
    );
    describe_counter!(
        "fedbridge_egress_rests_total",
        "Times that calls to a partner's host were given up for a while, because it did not answer"
    );
    describe_counter!("fedbridge_tokens_issued_total", "Access tokens issued, by grant type");
    describe_counter!("fedbridge_refused_total", "OAuth and SAML requests refused, by endpoint and error");
    describe_counter!("fedbridge_refresh_reused_total", "Refresh tokens that came back after their grace");
    describe_histogram!("fedbridge_http_request_seconds", "Time to answer, by route, method and status class");
    describe_counter!(
        "fedbridge_revocation_polls_total",
        "Looks at the database for kills and new configurations, by result"
    );
    describe_counter!("fedbridge_revocation_signals_total", "Messages of the database that something had changed");
    describe_gauge!(
        "fedbridge_rollover_laggards",
        "Partners that have yet to know the new key of a rollover; 0 once it is over"
    );
    describe_counter!(
        "fedbridge_sightings_dropped_total",
        "Times that a partner was seen with a key of ours and nobody had time to note it"
    );
    describe_counter!("fedbridge_traces_total", "Traces, by fate: written, shrunk to a count, or failed");
    describe_counter!("fedbridge_store_units_total", "Units of work, by result; a refused one failed a guard");
    describe_counter!("fedbridge_store_unit_microseconds_total", "Time that units of work took, waiting included");
    describe_counter!("fedbridge_store_commits_total", "Durable commits; one may serve many units");
    describe_gauge!("fedbridge_store_queue", "Units of work that wait now");
    describe_gauge!("fedbridge_store_connections", "Database connections, by state");
    describe_gauge!(
        "fedbridge_expiry_timestamp_seconds",
        "When a certificate, a document or an API key ends, in seconds since 1970; NaN once it is gone"
    );
    describe_gauge!(
        "fedbridge_metadata_age_seconds",
        "Since a partner's metadata was last fetched or confirmed at its address; NaN once it is gone"
    );
    describe_gauge!("fedbridge_metadata_failures", "Looks at a partner's metadata that failed since the last good one");
    describe_gauge!("fedbridge_metadata_held", "1 where changed metadata of a partner waits for approval, else 0");
    describe_gauge!(
        "fedbridge_metadata_lapsed",
        "1 where looks at a partner's metadata have failed for so long that it is not used, else 0"
    );
    Ok(handle)
}

/// Puts the counters of the store and of the trace recorder on the page.
pub fn publish(traces: &RecorderStats, store: &StoreStats) {
    for (fate, count) in [("written", &traces.written), ("shrunk", &traces.shrunk), ("failed", &traces.failed)] {
        counter!("fedbridge_traces_total", "fate" => fate).absolute(count.load(Ordering::Relaxed));
    }
    for (result, count) in [("done", store.units), ("refused", store.refused), ("failed", store.failed)] {
        counter!("fedbridge_store_units_total", "result" => result).absolute(count);
    }
    counter!("fedbridge_store_unit_microseconds_total").absolute(store.unit_micros);
    counter!("fedbridge_store_commits_total").absolute(store.commits);
    gauge!("fedbridge_store_queue").set(store.queue as f64);
    gauge!("fedbridge_store_connections", "state" => "open").set(store.pool_size as f64);
    gauge!("fedbridge_store_connections", "state" => "in use").set(store.pool_in_use as f64);
}

/// Counts what the hub, the adapters and the web layer report.
pub struct Metrics;

impl Observer for Metrics {
    fn login(&self, tenant: &str, connection: &str, result: &'static str, seconds: f64) {
        let (tenant, connection) = (tenant.to_owned(), connection.to_owned());
        counter!("fedbridge_logins_total", "tenant" => tenant, "connection" => connection, "result" => result)
            .increment(1);
        histogram!("fedbridge_login_seconds", "result" => result).record(seconds);
    }

    fn logout_notice(&self, channel: Channel, told: Told) {
        let channel = match channel {
            Channel::Front => "front",
            Channel::Back => "back",
        };
        let told = match told {
            Told::Done => "done",
            Told::Partial => "partial",
            Told::Refused => "refused",
            Told::Silent => "silent",
        };
        counter!("fedbridge_logout_notices_total", "channel" => channel, "told" => told).increment(1);
    }

    fn signals(&self, result: &'static str, count: u64) {
        counter!("fedbridge_signals_total", "result" => result).increment(count);
    }
}

impl Counters for Metrics {
    fn token_issued(&self, grant_type: &'static str) {
        counter!("fedbridge_tokens_issued_total", "grant_type" => grant_type).increment(1);
    }

    fn refused(&self, endpoint: &'static str, code: &'static str) {
        counter!("fedbridge_refused_total", "endpoint" => endpoint, "error" => code).increment(1);
    }

    fn refresh_reused(&self) {
        counter!("fedbridge_refresh_reused_total").increment(1);
    }
}

impl Observe for Metrics {
    fn served(&self, served: &Served<'_>) {
        let class = match served.status {
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        histogram!("fedbridge_http_request_seconds", "route" => served.route, "method" => served.method, "status" => class)
            .record(served.elapsed.as_secs_f64());
    }
}
