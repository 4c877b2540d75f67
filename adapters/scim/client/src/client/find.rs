//! Looking for what the app has: everything, one by its id, or those with a certain name.

use std::sync::atomic::Ordering;

use fedbridge_contract::services::CallMethod;
use serde_json::{Value, json};

use super::{CallFailed, Client};
use crate::read::{Page, RemoteResource};

/// Asked for at once (RFC 7644 section 3.4.2.4). The app may give fewer.
const PAGE: usize = 100;

/// More of one app are not read: something must be wrong.
const MOST: usize = 1_000_000;

/// Nor is what takes more memory than this, in octets: about half a million users with the usual attributes.
const HEAVIEST: usize = 512 * 1024 * 1024;

/// What a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Users,
    Groups,
}

impl Endpoint {
    pub const fn path(self) -> &'static str {
        match self {
            Self::Users => "Users",
            Self::Groups => "Groups",
        }
    }
}

impl Client {
    /// Everything that the app has there, with those of its attributes that are compared.
    ///
    /// # Errors
    /// [`CallFailed`]: also where a page is no list, so that nobody is taken for gone.
    pub async fn list(&self, of: Endpoint) -> Result<Vec<RemoteResource>, CallFailed> {
        let kept = self.compared(of);
        let (mut all, mut weight): (Vec<RemoteResource>, usize) = (Vec::new(), 0);
        // By the app's count, which may be longer than what could be read.
        let mut seen = 0;
        loop {
            let page = self.page(of, &format!("startIndex={}&count={PAGE}", seen + 1)).await?;
            seen += page.count;
            let before = all.len();
            all.extend(page.resources.into_iter().map(|one| one.with_only(&kept)));
            weight += all.iter().skip(before).map(RemoteResource::weight).sum::<usize>();
            let whole = page.total.is_none_or(|total| seen as u64 >= total);
            if page.count == 0 && !whole {
                let why = format!("its list of {} ends before the {:?} that it counts", of.path(), page.total);
                return Err(CallFailed::NotCalled(why));
            }
            if whole {
                return Ok(all);
            }
            if seen > MOST || weight > HEAVIEST {
                return Err(CallFailed::NotCalled(format!(
                    "its list of {} is longer than any that is read",
                    of.path()
                )));
            }
        }
    }

    /// One, by the app's id for it.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn get(&self, of: Endpoint, id: &str) -> Result<Option<RemoteResource>, CallFailed> {
        match self.call(CallMethod::Get, &place(of, id), None).await {
            Ok(answered) => match RemoteResource::read(answered.body) {
                // Another one than was asked for is nobody's.
                Some(found) if found.id == id => Ok(Some(found)),
                _ => Err(CallFailed::NotCalled("its answer is not what was asked for".to_owned())),
            },
            Err(CallFailed::Refused { status: 404 | 410, .. }) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    /// Those for whom `attribute eq value` holds. Whether it does is looked at again: some apps know no filters and say
    /// nothing of it.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn find(&self, of: Endpoint, attribute: &str, value: &str) -> Result<Vec<RemoteResource>, CallFailed> {
        let holds = |one: &RemoteResource| match (one.text(attribute), attribute) {
            (Some(there), "externalId") => there == value,
            (Some(there), _) => there.to_lowercase() == value.to_lowercase(),
            (None, _) => false,
        };
        if self.unfiltered.load(Ordering::Relaxed) {
            return Ok(self.list(of).await?.into_iter().filter(holds).collect());
        }
        let filter = format!("{attribute} eq {}", json!(value));
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("filter", &filter)
            .append_pair("startIndex", "1")
            .append_pair("count", &PAGE.to_string())
            .finish();
        match self.page(of, &query).await {
            Ok(page) if page.resources.iter().all(holds) => Ok(page.resources),
            // RFC 7644 section 3.4.2.2 lets a server leave filters out; some say 404 where nobody is found.
            Ok(_) | Err(CallFailed::Refused { status: 400 | 403 | 501, .. }) => {
                self.unfiltered.store(true, Ordering::Relaxed);
                Ok(self.list(of).await?.into_iter().filter(holds).collect())
            }
            Err(CallFailed::Refused { status: 404, .. }) => Ok(Vec::new()),
            Err(failed) => Err(failed),
        }
    }

    fn compared(&self, of: Endpoint) -> Vec<&str> {
        match of {
            Endpoint::Users => {
                let mapped = self.settings.attributes.iter().map(|mapped| mapped.path.root());
                ["externalId", "userName", "active"].into_iter().chain(mapped).collect()
            }
            Endpoint::Groups => vec!["externalId", "displayName", "members"],
        }
    }

    async fn page(&self, of: Endpoint, query: &str) -> Result<Page, CallFailed> {
        let answered = self.call(CallMethod::Get, &format!("{}?{query}", of.path()), None).await?;
        Page::read(answered.body).ok_or_else(|| CallFailed::NotCalled("its answer is no list".to_owned()))
    }

    /// What the app says of itself (RFC 7643 section 5).
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn service_provider_config(&self) -> Result<Value, CallFailed> {
        Ok(self.call(CallMethod::Get, "ServiceProviderConfig", None).await?.body)
    }
}

/// The path of one resource. Its id is the app's, and stays one segment whatever it holds.
pub fn place(of: Endpoint, id: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    // A form writes a blank as a plus sign, which is itself in a path.
    format!("{}/{}", of.path(), encoded.replace('+', "%20"))
}
