//! Learning mode: shapes of what LDAP apps ask, on their way from the listener to the store.
//!
//! The listener says it and goes on. The same shapes are added up, and written together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::App;
use fedbridge_contract::directory::{Shape, ShapeSink};
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_contract::time::Timestamp;

use super::gather::{Gathering, Teller};
use crate::ports::{SeenShape, ShapeStore};

/// The most different shapes of one app that are kept in one process. An app that asks in more ways than these makes
/// them of values.
const MOST: usize = 1000;

/// Takes shapes and never waits.
#[derive(Clone)]
pub struct Shapes(Teller<Saw>);

struct Saw(TenantId, AppId, Shape, Timestamp);

impl Shapes {
    /// Starts to write, as a task of the current runtime. It ends when the last clone is gone.
    pub fn start(store: Arc<dyn ShapeStore>) -> Self {
        Self(Teller::start(Gathered { store, known: HashMap::new(), seen: HashMap::new() }))
    }

    /// Waits until everything that was seen before is written.
    pub async fn flush(&self) {
        self.0.flush().await;
    }
}

impl ShapeSink for Shapes {
    fn saw(&self, tenant: TenantId, app: &App, shape: Shape, at: Timestamp) {
        // What finds no room comes again: an app asks the same again.
        let _ = self.0.tell(Saw(tenant, app.id, shape, at));
    }
}

struct Gathered {
    store: Arc<dyn ShapeStore>,
    /// What was seen of each app since the process began.
    known: HashMap<(TenantId, AppId), HashSet<Shape>>,
    seen: HashMap<(TenantId, AppId, Shape), SeenShape>,
}

#[async_trait]
impl Gathering for Gathered {
    type Told = Saw;

    fn take(&mut self, Saw(tenant, app, shape, at): Saw) {
        let of_app = self.known.entry((tenant, app)).or_default();
        if of_app.len() >= MOST && !of_app.contains(&shape) {
            return;
        }
        of_app.insert(shape.clone());
        let seen = self.seen.entry((tenant, app, shape.clone()));
        let seen = seen.or_insert(SeenShape { tenant, app, shape, count: 0, first: at, last: at });
        seen.count = seen.count.saturating_add(1);
        seen.first = seen.first.min(at);
        seen.last = seen.last.max(at);
    }

    async fn write(&mut self) {
        let batch: Vec<_> = std::mem::take(&mut self.seen).into_values().collect();
        if !batch.is_empty()
            && let Err(error) = self.store.note_shapes(&batch).await
        {
            tracing::warn!(%error, "what LDAP apps ask could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use fedbridge_contract::config::AppKind;
    use fedbridge_contract::error::StoreError;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::ports::StoredShape;

    #[derive(Default)]
    struct Store(Mutex<Vec<SeenShape>>);

    #[async_trait]
    impl ShapeStore for Store {
        async fn note_shapes(&self, batch: &[SeenShape]) -> Result<(), StoreError> {
            self.0.lock().unwrap().extend_from_slice(batch);
            Ok(())
        }

        async fn shapes(&self, _: TenantId, _: AppId) -> Result<Vec<StoredShape>, StoreError> {
            Ok(Vec::new())
        }
    }

    fn app() -> App {
        let id = AppId::from_uuid(Uuid::from_u128(2));
        App::new(id, AppKind::LdapApp, "jenkins".into(), None, "Jenkins".into(), true, None, json!({}), Vec::new())
    }

    fn tenant() -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(1))
    }

    #[tokio::test]
    async fn the_same_shape_is_added_up() {
        let store = Arc::new(Store::default());
        let shapes = Shapes::start(Arc::clone(&store) as Arc<dyn ShapeStore>);
        for seconds in [5, 3, 9] {
            shapes.saw(tenant(), &app(), Shape::Bind { by: "uid".into() }, Timestamp::from_seconds(seconds));
        }
        shapes.saw(tenant(), &app(), Shape::Bind { by: "name".into() }, Timestamp::from_seconds(1));
        shapes.flush().await;
        let mut written = store.0.lock().unwrap().clone();
        written.sort_by_key(|seen| std::cmp::Reverse(seen.count));
        assert_eq!(written.len(), 2);
        assert_eq!((written[0].count, written[0].first.seconds(), written[0].last.seconds()), (3, 3, 9));
    }

    #[tokio::test]
    async fn an_app_that_asks_in_ever_new_ways_fills_nothing() {
        let store = Arc::new(Store::default());
        let shapes = Shapes::start(Arc::clone(&store) as Arc<dyn ShapeStore>);
        for number in 0..MOST + 10 {
            shapes.saw(tenant(), &app(), Shape::Compare { attribute: format!("a{number}") }, Timestamp::default());
        }
        shapes.flush().await;
        assert_eq!(store.0.lock().unwrap().len(), MOST);
    }
}
