//! SAML 2.0 for fedbridge: the identity provider side, for apps that are service providers.
