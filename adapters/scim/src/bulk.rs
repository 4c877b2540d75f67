//! Many operations in one request (RFC 7644 section 3.7), one after the other. Each is durable by itself.

use std::collections::HashMap;

use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::PushDone;
use fedbridge_scim_core::bulk::{Bulk, BulkMethod, BulkOperation, Outcome, Step, response};
use fedbridge_scim_core::{Fault, version};

use crate::answer::{Answer, Answered, Refused};
use crate::endpoint::Asked;
use crate::members::ids_of;
use crate::write::Work;

pub const OPERATIONS: usize = 1_000;

impl Asked<'_> {
    pub async fn bulk(&self) -> Answered {
        let bulk = Bulk::read(self.body()?, OPERATIONS)?;
        let mut made: HashMap<String, String> = HashMap::new();
        let mut outcomes: Vec<Option<Outcome>> = vec![None; bulk.operations.len()];
        let mut errors = 0;
        for step in bulk.steps() {
            if bulk.fail_on_errors.is_some_and(|most| errors >= most) {
                break;
            }
            let at = match &step {
                Step::Do(at) | Step::MakeWithout(at, _) | Step::AddMembers(at, _) | Step::Fail(at) => *at,
            };
            let Some(operation) = bulk.operations.get(at) else { continue };
            let outcome = match self.step(operation, &step, &mut made).await {
                Ok(outcome) => outcome,
                Err(Refused { fault, .. }) => {
                    errors += 1;
                    Outcome { status: fault.status, location: None, version: None, fault: Some(fault) }
                }
            };
            if let Some(place) = outcomes.get_mut(at) {
                *place = Some(outcome);
            }
        }
        let done = bulk.operations.iter().zip(outcomes).filter_map(|(operation, it)| Some((operation, it?)));
        Ok(Answer::ok(response(&done.collect::<Vec<_>>())))
    }

    async fn step(
        &self,
        operation: &BulkOperation,
        step: &Step,
        made: &mut HashMap<String, String>,
    ) -> Result<Outcome, Refused> {
        let without = match step {
            Step::Do(_) => &[][..],
            Step::MakeWithout(_, names) => names,
            Step::Fail(_) => return Err(Fault::value("it names what no operation of the request makes").into()),
            Step::AddMembers(_, names) => {
                let own = operation.bulk_id.as_ref().and_then(|name| made.get(name));
                let group = own.and_then(|id| id.parse::<RecordId>().ok());
                let group = group.ok_or_else(|| Fault::value("the group was not made"))?;
                let ids: Option<Vec<_>> = names.iter().map(|name| made.get(name).cloned()).collect();
                let ids = ids.ok_or_else(|| Fault::value("a member of the group was not made"))?;
                let done = self.add_members(group, ids_of(&ids)?).await?;
                return Ok(self.outcome(operation, 201, &done));
            }
        };
        let data = operation.resolved(made, without)?;
        let id = operation.resolved_id(made)?.unwrap_or_default();
        let condition = operation.version.as_deref();
        match operation.method {
            BulkMethod::Post => {
                let done = self.create(operation.kind, data).await?;
                if let Some(name) = &operation.bulk_id {
                    made.insert(name.clone(), done.record.id.to_string());
                }
                Ok(self.outcome(operation, 201, &done))
            }
            method => {
                let (status, work) = match method {
                    BulkMethod::Put => (200, Work::Replace(data)),
                    BulkMethod::Patch => (200, Work::Change(data)),
                    BulkMethod::Delete | BulkMethod::Post => (204, Work::Delete),
                };
                let done = self.on_what_is_there(operation.kind, &id, condition, &work).await?;
                let told = self.outcome(operation, status, &done);
                // What is gone has no version.
                Ok(Outcome { version: told.version.filter(|_| status != 204), ..told })
            }
        }
    }

    fn outcome(&self, operation: &BulkOperation, status: u16, done: &PushDone) -> Outcome {
        Outcome {
            status,
            location: Some(self.endpoint.location(operation.kind, done.record.id)),
            version: Some(version::tag(done.record.version)),
            fault: None,
        }
    }
}
