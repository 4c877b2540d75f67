//! The bridge's own directory, as its clients see it.

mod access;
mod app_passwords;
mod canary;
mod disable;
mod learn;
mod outage;
mod protocol;
mod tenants;
