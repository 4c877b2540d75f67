//! fedbridge-oidc
