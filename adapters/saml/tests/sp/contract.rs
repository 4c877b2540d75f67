//! What the contract asks of every adapter that logs people in.

use fedbridge_contract::http::HttpInput;
use fedbridge_contract::testkit;
use fedbridge_contract::upstream::Challenge;
use fedbridge_saml::testkit::ReceivedRequest;
use serde_json::json;

use crate::support::{NOW, World, alice, posted};

#[tokio::test]
async fn keeps_the_contract_with_both_request_bindings() {
    for binding in ["redirect", "post"] {
        let world = World::with(json!({ "request_binding": binding }));
        let login = world.adapter.login.as_ref().unwrap();
        let answer = |challenge: &Challenge| -> HttpInput {
            let request = match (binding, challenge) {
                ("redirect", Challenge::Redirect(location)) => ReceivedRequest::from_redirect(location),
                ("post", Challenge::AutoPost { fields, .. }) => ReceivedRequest::from_post(fields),
                (_, other) => panic!("{binding}: {other:?}"),
            };
            let request = request.unwrap();
            let plan = world.idp.answer(&request, &alice(), NOW);
            let form = plan.form(&world.idp, request.relay_state.as_deref()).unwrap();
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            HttpInput { body: body.into(), ..posted("") }
        };
        testkit::upstream_login(&**login, &world.tenant, world.connection, NOW, answer).await;
    }
}
