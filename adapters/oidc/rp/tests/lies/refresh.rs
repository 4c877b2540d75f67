//! Asking the provider again, and giving tokens back.

use std::sync::LazyLock;
use std::time::Duration;

use fedbridge_contract::identity::{AuthenticatedIdentity, UpstreamTokens};
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{AskedAgain, StillThere};
use fedbridge_oidc_core::testkit::{Change, Endpoint, Lie, RENEWAL, Verdict, parameter, parameters};
use serde_json::{Value, json};

use crate::world::{World, failed_check};

impl World {
    /// A connection that re-validates by refresh tokens.
    fn renewing(more: Value) -> Self {
        let mut settings = json!({ "revalidate": "15m", "scopes": ["openid", "profile", "email", "offline_access"] });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Self::with(settings)
    }

    async fn ask(&self, identity: &AuthenticatedIdentity, tokens: &UpstreamTokens) -> (StillThere, TraceLog) {
        let mut trace = TraceLog::new();
        let asked = AskedAgain {
            tenant: &self.tenant,
            subject: &identity.subject,
            authn: &identity.authn,
            tokens,
            now: self.now(),
        };
        let answer = self.adapter.refresh.as_ref().unwrap().ask(asked, &mut trace).await;
        (answer, trace)
    }
}

fn yes((answer, trace): (StillThere, TraceLog)) -> (Option<Value>, UpstreamTokens) {
    match answer {
        StillThere::Yes { attributes, tokens } => (attributes.map(|all| json!(all)), tokens),
        other => panic!("{other:?}: {:?}", trace.cause()),
    }
}

#[tokio::test]
async fn nothing_is_kept_where_nothing_needs_it() {
    let world = World::new();
    assert!(world.adapter.refresh.is_none());
    world.op.traits(|traits| traits.always_refresh = true);
    assert!(world.enter().await.tokens.is_none());
}

#[tokio::test]
async fn a_refresh_renews_tokens_and_attributes() {
    let world = World::renewing(json!({}));
    assert_eq!(world.adapter.refresh.as_ref().unwrap().interval(), Some(Duration::from_secs(900)));
    let identity = world.enter().await;
    let first = identity.tokens.clone().unwrap();
    assert!(!format!("{first:?}").contains(first.refresh_token.as_deref().unwrap()));
    world.clock.pass(Duration::from_secs(900));
    let (attributes, second) = yes(world.ask(&identity, &first).await);
    assert_eq!(attributes.unwrap()["values"]["email"], json!(["alice@acme.example"]));
    assert_ne!(first.refresh_token, second.refresh_token);
    // And once more, with what came back.
    world.clock.pass(Duration::from_secs(900));
    let (_, third) = yes(world.ask(&identity, &second).await);
    assert_ne!(second.refresh_token, third.refresh_token);
    let calls = world.op.seen();
    let last = calls.of(Endpoint::Token).last().unwrap().asked.parameters();
    assert_eq!(parameter(&last, "grant_type"), Some("refresh_token"));
    assert_eq!(parameter(&last, "refresh_token"), second.refresh_token.as_deref());
    // One that was replaced is theft: the provider ends all of it, and so do we.
    let (answer, _) = world.ask(&identity, &first).await;
    assert!(matches!(answer, StillThere::No(_)), "{answer:?}");
}

#[tokio::test]
async fn a_provider_that_does_not_rotate_keeps_the_token() {
    let world = World::renewing(json!({}));
    world.op.traits(|traits| traits.rotates_refresh_tokens = false);
    let identity = world.enter().await;
    let first = identity.tokens.clone().unwrap();
    let (_, second) = yes(world.ask(&identity, &first).await);
    assert_eq!(first.refresh_token, second.refresh_token);
}

#[tokio::test]
async fn who_is_gone_there_is_gone_here() {
    let world = World::renewing(json!({}));
    let identity = world.enter().await;
    world.op.traits(|traits| traits.closed = vec!["alice".into()]);
    let (answer, trace) = world.ask(&identity, identity.tokens.as_ref().unwrap()).await;
    assert!(matches!(answer, StillThere::No(_)), "{answer:?}");
    assert!(trace.cause().is_some_and(|cause| cause.contains("invalid_grant")), "{:?}", trace.cause());
}

#[tokio::test]
async fn silence_says_nothing() {
    let world = World::renewing(json!({}));
    let identity = world.enter().await;
    let tokens = identity.tokens.clone().unwrap();
    world.op.traits(|traits| traits.down = true);
    let before = world.op.seen().count(Endpoint::Token);
    let (answer, _) = world.ask(&identity, &tokens).await;
    assert!(matches!(answer, StillThere::Unknown(_)), "{answer:?}");
    assert_eq!(world.op.seen().count(Endpoint::Token), before + 1, "a refresh token is not sent twice");
    world.op.traits(|traits| traits.down = false);
    yes(world.ask(&identity, &tokens).await);
}

#[tokio::test]
async fn every_lying_renewal_is_found_by_its_check() {
    for lie in RENEWAL {
        let world = World::renewing(json!({}));
        let identity = world.enter().await;
        world.clock.pass(Duration::from_secs(60));
        world.op.tell(lie);
        let (answer, trace) = world.ask(&identity, identity.tokens.as_ref().unwrap()).await;
        match lie.verdict {
            Verdict::Accepted => assert!(matches!(answer, StillThere::Yes { .. }), "{}: {answer:?}", lie.name),
            _ => {
                assert!(matches!(answer, StillThere::No(_)), "{}: {answer:?}", lie.name);
                assert_eq!(failed_check(&trace).as_deref(), Some(lie.check), "{}", lie.name);
            }
        }
    }
}

#[tokio::test]
async fn without_a_refresh_token_userinfo_is_asked_while_the_token_lasts() {
    let world = World::with(json!({ "revalidate": "1m" }));
    let identity = world.enter().await;
    let tokens = identity.tokens.clone().unwrap();
    assert_eq!(tokens.refresh_token, None);
    let (attributes, same) = yes(world.ask(&identity, &tokens).await);
    assert_eq!((attributes, &same), (None, &tokens));
    world.op.traits(|traits| traits.closed = vec!["alice".into()]);
    let (answer, _) = world.ask(&identity, &tokens).await;
    assert!(matches!(answer, StillThere::No(_)), "{answer:?}");
    world.op.traits(|traits| traits.closed.clear());
    world.clock.pass(Duration::from_secs(301));
    let before = world.op.seen().count(Endpoint::Userinfo);
    let (answer, _) = world.ask(&identity, &tokens).await;
    assert!(matches!(answer, StillThere::Unknown(_)), "{answer:?}");
    assert_eq!(world.op.seen().count(Endpoint::Userinfo), before);
}

#[tokio::test]
async fn userinfo_of_somebody_else_is_no_silence() {
    static OTHER: LazyLock<Lie> = LazyLock::new(|| {
        const VICTIM: &[Change] = &[Change::Userinfo(|plan| plan.json["sub"] = json!("victim"))];
        Lie::told(37, "sub of somebody else", "sub at userinfo", VICTIM)
    });
    static NOBODY: LazyLock<Lie> = LazyLock::new(|| {
        const ABSENT: &[Change] = &[Change::Userinfo(|plan| plan.cut("sub"))];
        Lie::told(37, "sub absent", "sub at userinfo", ABSENT)
    });
    for (beside_a_token, world) in
        [(false, World::with(json!({ "revalidate": "1m" }))), (true, World::renewing(json!({ "userinfo": "always" })))]
    {
        let identity = world.enter().await;
        world.op.tell(&NOBODY);
        let (answer, trace) = world.ask(&identity, identity.tokens.as_ref().unwrap()).await;
        assert_eq!(failed_check(&trace).as_deref(), Some("sub at userinfo"));
        let tokens = match answer {
            StillThere::Yes { attributes: None, tokens } if beside_a_token => tokens,
            StillThere::Unknown(_) if !beside_a_token => identity.tokens.clone().unwrap(),
            other => panic!("claims of nobody are not believed, and end nothing: {other:?}"),
        };
        world.op.tell(&OTHER);
        let (answer, trace) = world.ask(&identity, &tokens).await;
        assert!(matches!(answer, StillThere::No(_)), "{answer:?}");
        assert_eq!(failed_check(&trace).as_deref(), Some("sub at userinfo"));
    }
}

#[tokio::test]
async fn keys_that_can_not_be_read_end_nobodys_session() {
    static LIE: LazyLock<Lie> = LazyLock::new(|| {
        const DOWN: &[Change] = &[Change::Keys(|plan| plan.status = 503)];
        Lie::told(36, "no key set", "the key set", DOWN)
    });
    let world = World::renewing(json!({}));
    let identity = world.enter().await;
    world.op.tell(&LIE);
    world.clock.pass(Duration::from_secs(25 * 3600));
    // The provider took the refresh token and replaced it: the new one is kept, and nothing else is believed.
    let (answer, trace) = world.ask(&identity, identity.tokens.as_ref().unwrap()).await;
    assert_eq!(failed_check(&trace).as_deref(), Some("the key set"));
    let (attributes, second) = yes((answer, trace));
    assert_eq!(attributes, None);
    world.op.truth();
    world.clock.pass(Duration::from_secs(61));
    assert!(yes(world.ask(&identity, &second).await).0.is_some());
}

#[tokio::test]
async fn tokens_are_given_back() {
    let world = World::renewing(json!({}));
    let identity = world.enter().await;
    let tokens = identity.tokens.clone().unwrap();
    let side = world.adapter.refresh.as_ref().unwrap();
    let post = side.revocation(&world.tenant, &tokens, world.now()).unwrap();
    assert_eq!(post.url, "https://op.example/revoke");
    let sent = parameters(post.body.as_bytes());
    assert_eq!(parameter(&sent, "token"), tokens.refresh_token.as_deref());
    assert_eq!(parameter(&sent, "token_type_hint"), Some("refresh_token"));
    let answer = world.services.egress.post(&post, limits()).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(world.op.last_login().unwrap().over);
    let none = UpstreamTokens { refresh_token: None, access_token: None, access_expires: None, memory: Value::Null };
    assert!(side.revocation(&world.tenant, &none, world.now()).is_none());
    let silent = World::renewing(json!({ "revoke_at_logout": false }));
    assert!(silent.adapter.refresh.as_ref().unwrap().revocation(&silent.tenant, &tokens, silent.now()).is_none());
}

fn limits() -> fedbridge_contract::services::EgressLimits {
    fedbridge_contract::services::EgressLimits { max_body: 1 << 16, timeout: Duration::from_secs(5) }
}
