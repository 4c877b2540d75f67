//! What the hub asks of a connection that checks passwords.

use async_trait::async_trait;
use fedbridge_contract::password::{
    Attempt, Change, Changed, Lockout, NameIs, PasswordCheck, PasswordOutcome, Prove, Proved,
};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::trace::TraceLog;

use crate::directory::SharedDirectory;
use crate::{change, prove, verify};

#[async_trait]
impl PasswordCheck for SharedDirectory {
    fn name_is(&self) -> NameIs {
        self.0.settings.users.name_is
    }

    fn lockout(&self) -> Option<Lockout> {
        self.0.settings.lockout.or_else(|| self.0.lockout.now())
    }

    async fn verify(&self, attempt: Attempt<'_>, minter: Minter, trace: &mut TraceLog) -> PasswordOutcome {
        verify::verify(&self.0, attempt, minter, trace).await
    }

    async fn prove(&self, asked: Prove<'_>, trace: &mut TraceLog) -> Proved {
        prove::prove(&self.0, asked, trace).await
    }

    async fn change(&self, asked: Change<'_>, trace: &mut TraceLog) -> Changed {
        change::change(&self.0, asked, trace).await
    }
}
