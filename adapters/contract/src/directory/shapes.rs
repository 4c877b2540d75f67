//! What an app asks of a directory, without any value: learning mode makes its least-privilege entry of it.

use serde::{Deserialize, Serialize};

use crate::config::App;
use crate::ids::TenantId;
use crate::time::Timestamp;

/// Learning mode: shapes of what an app asks, without any value.
pub trait ShapeSink: Send + Sync {
    fn saw(&self, tenant: TenantId, app: &App, shape: Shape, at: Timestamp);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case")]
pub enum Shape {
    /// How people bind: the attribute of the DN, or `name`.
    Bind {
        by: String,
    },
    /// The container below the tenant's base, the filter with `?` in the place of values.
    Search {
        base: String,
        scope: u8,
        filter: String,
        attributes: Vec<String>,
        controls: Vec<String>,
        most: u32,
    },
    Compare {
        attribute: String,
    },
    Refused {
        operation: String,
    },
}
