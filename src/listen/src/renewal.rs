//! A certificate is replaced while the listener runs: its files are read again when they change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::tls::Tls;

/// Looks at the files again and again. What can't be used is said once, and what was read before stays.
pub(crate) async fn keep(tls: Option<Arc<Tls>>, every: Duration) -> Infallible {
    let Some(tls) = tls else { return std::future::pending().await };
    let mut said = None;
    loop {
        tokio::time::sleep(every).await;
        let tls = Arc::clone(&tls);
        // Files may lie on a disk that is slow, or far away.
        let renewed = tokio::task::spawn_blocking(move || tls.renew().map_err(|error| error.to_string()));
        match renewed.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(renewed) => {
                said = None;
                if renewed {
                    tracing::info!("the listener's certificate was read again");
                }
            }
            Err(error) if said.as_ref() != Some(&error) => {
                tracing::warn!(%error, "the listener's new certificate can't be used; the one before stays");
                said = Some(error);
            }
            Err(_) => {}
        }
    }
}
