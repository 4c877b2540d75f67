//! Single logout with an app, in both directions.

use fedbridge_contract::downstream::{Accepted, Downstream};
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind};
use fedbridge_contract::ids::{AppId, LogoutId};
use fedbridge_contract::logout::{
    Channel, DownstreamLogout, LogoutCall, LogoutEnd, LogoutSelector, Notice, NoticeId, Participant, Party, PeerLogout,
    Told,
};
use fedbridge_contract::page::Page;
use fedbridge_contract::services::Fetched;
use fedbridge_contract::trace::Outcome;
use fedbridge_contract::upstream::Challenge;
use fedbridge_saml_core::testkit::{LogoutRequestPlan, LogoutResponsePlan, NameIdPlan, ReceivedLogout, TestKey};
use fedbridge_saml_idp::settings::SpSettings;
use serde_json::json;

use crate::support::{
    Ask, Distinct, IDP, NOW, RUNTIME, SP, Sp, World, app_signing, get_address, post, posted_response, stranger,
};

const SLO: &str = "https://bridge.example/t/acme/saml/slo";
const THEIRS: &str = "https://wiki.example/slo";

fn adapter(world: &World) -> &dyn DownstreamLogout {
    world.provider.logout().unwrap()
}

/// What a login left, and what it said.
fn joined(world: &World) -> (Participant, String) {
    let login = world.login(&Ask::new().by_redirect());
    let finished = world.finish(&login);
    (finished.participant.unwrap(), posted_response(&finished.reply).1)
}

fn name(participant: &Participant) -> NameIdPlan {
    let name = &participant.memory["name"];
    let text = |key: &str| name.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    NameIdPlan {
        format: text("format"),
        name_qualifier: text("name_qualifier"),
        sp_name_qualifier: text("sp_name_qualifier"),
        ..NameIdPlan::new(&text("name_id").unwrap(), "")
    }
}

fn notice_id(world: &World) -> NoticeId {
    NoticeId { logout: LogoutId::random(&Distinct), party: Party::App(world.app.id) }
}

fn call<'a>(world: &'a World, participant: &'a Participant, id: NoticeId) -> LogoutCall<'a> {
    let (tenant, app, session) = (&world.tenant, &world.app, world.session);
    LogoutCall { tenant, app, participant, session, id, now: NOW, rng: &Distinct }
}

fn notice(world: &World, participant: &Participant, id: NoticeId) -> Notice {
    RUNTIME.block_on(adapter(world).notice(call(world, participant, id))).unwrap()
}

fn get(query: String) -> HttpInput {
    HttpInput { route: "saml/slo", query, ..get_address("https://bridge.example/t/acme/saml/sso") }
}

fn called(body: String) -> HttpInput {
    HttpInput { method: Method::Post, body: body.into(), content_type: Some("text/xml".into()), ..get(String::new()) }
}

fn asked(world: &World, input: &HttpInput) -> Box<PeerLogout> {
    match world.accept(input) {
        (Accepted::PeerLogout { app, request }, _) => {
            assert_eq!(app, world.app.id);
            request
        }
        (Accepted::Reply(reply), _) => panic!("{reply:?}: {:?}", world.last_refusal()),
        _ => panic!("no logout"),
    }
}

fn conclude(world: &World, continuation: &[u8], end: LogoutEnd) -> Reply {
    RUNTIME.block_on(adapter(world).conclude(&world.tenant, continuation, end))
}

fn soap_sp() -> Sp {
    let soap = "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:SOAP\" \
                Location=\"https://wiki.example/soap\"/>";
    let plain = Sp::default();
    Sp { endpoints: format!("{soap}{}", plain.endpoints), ..plain }
}

#[test]
fn an_app_is_told_by_the_name_and_index_that_it_was_given() {
    let world = World::new();
    let (participant, response) = joined(&world);
    let id = notice_id(&world);
    let Notice::Front(Challenge::Redirect(location)) = notice(&world, &participant, id) else { panic!("no redirect") };
    assert!(location.starts_with("https://wiki.example/slo?SAMLRequest=") && location.contains("&Signature="));
    let sent = ReceivedLogout::from_redirect(&location).unwrap();
    assert_eq!((sent.id.clone(), sent.issuer.as_str()), (id.to_string(), IDP));
    assert_eq!(sent.destination.as_deref(), Some(THEIRS));
    assert!(response.contains(&format!("SessionIndex=\"{}\"", sent.indexes[0])), "{response}");
    let value = sent.name_id.unwrap().value;
    assert!(response.contains(&format!(">{value}</saml:NameID>")), "{response}");
}

#[test]
fn the_setting_says_how() {
    let sp = soap_sp();
    for (setting, expected) in [("auto", "soap"), ("soap", "soap"), ("frame", "front"), ("off", "nothing")] {
        let world = World::of(&sp, json!({ "logout": setting }));
        let told = World::of(&sp, json!({}));
        let (participant, _) = joined(&told);
        let how = match notice(&world, &participant, notice_id(&world)) {
            Notice::Back(post) => {
                assert_eq!(post.url, "https://wiki.example/soap");
                "soap"
            }
            Notice::Front(_) => "front",
            Notice::Nothing => "nothing",
            other => panic!("{other:?}"),
        };
        assert_eq!(how, expected, "{setting}");
    }
}

#[test]
fn the_answer_to_a_call_counts() {
    let world = World::of(&soap_sp(), json!({}));
    let (participant, _) = joined(&world);
    let id = notice_id(&world);
    let told = |status: u16, body: String| {
        let answer = Fetched { status, content_type: None, etag: None, max_age: None, body: body.into() };
        RUNTIME.block_on(adapter(&world).told(call(&world, &participant, id), &answer))
    };
    let answer = LogoutResponsePlan::new(SP, SLO, &id.to_string(), NOW);
    assert_eq!(told(200, answer.soap(app_signing()).unwrap()), Told::Done);
    assert_eq!(told(404, answer.soap(app_signing()).unwrap()), Told::Refused);
    assert_eq!(told(200, answer.soap(stranger()).unwrap()), Told::Refused);
    let other = LogoutResponsePlan::new(SP, SLO, "_other", NOW);
    assert_eq!(told(200, other.soap(app_signing()).unwrap()), Told::Refused);
}

#[test]
fn an_app_ends_the_session_that_it_is_in() {
    let world = World::new();
    let (participant, _) = joined(&world);
    let index = participant.index.clone().unwrap();
    let plan = LogoutRequestPlan::new(SP, SLO, name(&participant), NOW).with_index(&index);
    let request = asked(&world, &get(plan.query(Some("x y"), app_signing()).unwrap()));
    let expected =
        LogoutSelector::Participant { app: world.app.id, key: participant.key.clone(), indexes: vec![index] };
    assert_eq!((&request.selector, request.channel), (&expected, Channel::Front));
    let ReplyKind::Redirect(location) = conclude(&world, &request.continuation, LogoutEnd::Partial).kind else {
        panic!("not a redirect")
    };
    assert!(location.starts_with("https://wiki.example/slo?SAMLResponse=") && location.contains("&Signature="));
    let answer = ReceivedLogout::from_redirect(&location).unwrap();
    assert_eq!((answer.in_response_to.as_deref(), answer.relay_state.as_deref()), (Some(&*plan.id), Some("x y")));
    assert!(answer.status.unwrap().1.unwrap().ends_with(":PartialLogout"));

    let request = asked(&world, &called(plan.soap(app_signing()).unwrap()));
    assert_eq!((&request.selector, request.channel), (&expected, Channel::Back));
    assert!(
        matches!(conclude(&world, &request.continuation, LogoutEnd::Complete).kind, ReplyKind::Body(body) if body.status == 200)
    );

    let form = plan.form(None, app_signing()).unwrap();
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
    assert_eq!(asked(&world, &HttpInput { route: "saml/slo", ..post(body) }).selector, expected);

    // It wants no answer.
    let silent = LogoutRequestPlan { asynchronous: true, ..plan };
    let request = asked(&world, &get(silent.query(None, app_signing()).unwrap()));
    let reply = conclude(&world, &request.continuation, LogoutEnd::Complete);
    assert!(matches!(reply.kind, ReplyKind::Page(Page::LoggedOut(_))));
}

#[test]
fn whoever_can_not_be_believed_sees_a_page_and_no_redirect() {
    let world = World::new();
    let (participant, _) = joined(&world);
    let plan = LogoutRequestPlan::new(SP, SLO, name(&participant), NOW);
    let by = |plan: &LogoutRequestPlan, key: &TestKey| get(plan.query(None, key).unwrap());
    let unsigned = get(plan.query(None, app_signing()).unwrap().split("&SigAlg").next().unwrap().to_owned());
    let unknown = LogoutRequestPlan { issuer: Some("https://nobody.example".into()), ..plan.clone() };
    for (input, reason) in [
        (by(&plan, stranger()), "not made by a key"),
        (unsigned, "Query signature"),
        (by(&unknown, app_signing()), "App"),
        (
            get("SAMLRequest=x".into()),
            "Message: expected one logout message that can be read, got something else: the message is not base64",
        ),
    ] {
        let (status, cause) = world.refused_on_page(&input);
        assert_eq!(status, 400);
        assert!(cause.contains(reason), "{reason}: {cause}");
    }
    match world.accept(&called(plan.soap(stranger()).unwrap())).0 {
        Accepted::Reply(Reply { kind: ReplyKind::Body(body), .. }) => assert_eq!(body.status, 500),
        _ => panic!("not a fault"),
    }
    world.recorded_as("logout");
    // No key in its metadata: nothing of it can be believed.
    let keyless = World::of(&Sp { signing: Vec::new(), ..Sp::default() }, json!({}));
    assert!(keyless.refused_on_page(&by(&plan, app_signing())).1.contains("Metadata"));
}

/// A server that asks while we are busy is told so, and may ask again.
#[test]
fn who_asks_while_we_are_busy_is_not_refused() {
    let world = World::new();
    let (participant, _) = joined(&world);
    let plan = LogoutRequestPlan::new(SP, SLO, name(&participant), NOW);
    // Nobody gets a turn of this app's any more.
    SpSettings::of(&world.app, NOW).unwrap().turns.close();
    let recorded = |expected: &str| {
        let events = world.doubles.traces.lock().unwrap();
        let event = events.last().unwrap();
        assert_eq!((event.outcome, event.kind), (Outcome::Error, "logout"), "{expected}");
        assert_eq!(event.cause, "Turn: expected a free place within 10 s, got no free place within 10 s");
    };
    match world.accept(&called(plan.soap(app_signing()).unwrap())).0 {
        Accepted::Reply(Reply { kind: ReplyKind::Body(body), .. }) => {
            let fault = String::from_utf8_lossy(&body.bytes);
            assert!(fault.contains("soap:Server") && fault.contains("Too many messages"), "{fault}");
        }
        _ => panic!("not a fault"),
    }
    recorded("a server");
    assert_eq!(world.refused_on_page(&get(plan.query(None, app_signing()).unwrap())).0, 503);
    recorded("a browser");
}

#[test]
fn an_answer_settles_its_own_notice_alone() {
    let world = World::new();
    let id = notice_id(&world);
    let answer = |id: &str| get(LogoutResponsePlan::new(SP, SLO, id, NOW).query(None, app_signing()).unwrap());
    match world.accept(&answer(&id.to_string())).0 {
        Accepted::LogoutAnswer { id: found, told } => assert_eq!((found, told), (id, Told::Done)),
        _ => panic!("no answer"),
    }
    let elsewhere = NoticeId { party: Party::App(AppId::random(&Distinct)), ..id };
    assert!(world.refused_on_page(&answer(&elsewhere.to_string())).1.starts_with("InResponseTo"));
}
