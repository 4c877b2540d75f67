//! Reading a request's body, bounded in size and time.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::fault::Fault;

/// Reads it whole. A declared length above the cap is refused before the first octet.
///
/// # Errors
/// [`Fault::BodyTooLarge`], [`Fault::BodyTooSlow`] or [`Fault::BodyBroken`].
pub(crate) async fn read(
    payload: &mut Payload,
    headers: &HeaderMap,
    cap: usize,
    timeout: Duration,
) -> Result<Bytes, Fault> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > cap)) {
        return Err(Fault::BodyTooLarge);
    }
    tokio::time::timeout(timeout, collect(payload, cap)).await.unwrap_or(Err(Fault::BodyTooSlow))
}

async fn collect(payload: &mut Payload, cap: usize) -> Result<Bytes, Fault> {
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(|_| Fault::BodyBroken)?;
    if first.len() > cap {
        return Err(Fault::BodyTooLarge);
    }
    // Nearly every body is one chunk: then it is passed on as it is.
    let Some(second) = payload.next().await else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        let chunk = chunk.map_err(|_| Fault::BodyBroken)?;
        if whole.len() + chunk.len() > cap {
            return Err(Fault::BodyTooLarge);
        }
        whole.extend_from_slice(&chunk);
        next = payload.next().await;
    }
    Ok(whole.freeze())
}
