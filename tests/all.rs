//! The one integration-test binary: the built program against real peers.

// Tests wait for real servers, so they read the real clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::disallowed_methods)]

mod background;
mod cli;
mod consent;
mod crash;
mod demo;
mod disable;
mod five_parties;
mod idp;
mod ldap_clients;
mod ldap_four_ways;
mod ldap_oracle;
mod ldap_server;
mod ldap_upstream;
mod links;
mod login_browser;
mod lying_op;
mod measured;
mod metadata;
mod oauth;
mod once;
mod operation;
mod outbound;
mod pages;
mod passkeys;
mod revocation;
mod road;
mod rollover;
mod rotation;
mod scim;
mod signals;
mod sp_variants;
mod ssrf;
mod support;
mod tidy;
mod two_tenants;
mod upstream_oidc;
