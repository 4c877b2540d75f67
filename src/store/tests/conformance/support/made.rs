//! Rows of one kind each, as new.

use fedbridge_contract::directory::Shape;
use fedbridge_contract::ids::{AppId, AppPasswordId, FactorId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{FactorKind, FailureCount, KnownDevice, NewAppPassword, NewFactor, SeenShape};
use fedbridge_keys::OpensslRng;

use super::{World, at, hash};

pub fn factor(kind: FactorKind, secret: &[u8]) -> NewFactor {
    let (id, label) = (FactorId::random(&OpensslRng), format!("{kind:?}"));
    NewFactor { id, kind, label, secret: secret.to_vec(), last_step: 0 }
}

pub fn app_password(person: PersonId, app: AppId) -> NewAppPassword {
    let id = AppPasswordId::random(&OpensslRng);
    NewAppPassword { id, person, app, label: "laptop".into(), hash: format!("$argon2id$of {id}"), expires: None }
}

pub fn count(tenant: TenantId, whose: &str, window: i64, count: u32) -> FailureCount {
    FailureCount { tenant, key: hash(whose), window: at(window), count }
}

pub fn device(tenant: TenantId, what: &str, expires: Timestamp) -> KnownDevice {
    KnownDevice { tenant, key: hash(what), expires }
}

pub fn seen(world: &World, shape: Shape, count: u32, (first, last): (i64, i64)) -> SeenShape {
    SeenShape { tenant: world.tenant, app: world.app, shape, count, first: at(first), last: at(last) }
}

pub fn compare(attribute: &str) -> Shape {
    Shape::Compare { attribute: attribute.into() }
}
