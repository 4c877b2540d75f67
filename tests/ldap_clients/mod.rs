//! Old apps that speak LDAP, unmodified: each with OpenLDAP, which shows that the test is right, and with the bridge.

mod apache;
mod openldap_tools;
mod ours;
mod own_code;
mod postfix;
mod postgres;
mod products;
mod unix;
