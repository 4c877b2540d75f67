//! What takes long to come up is started before anything else: tests run in the order of their names.

#[test]
fn keycloak_is_on_its_way() {
    crate::upstream_oidc::start_keycloak();
}
