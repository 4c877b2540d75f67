//! fedbridge-saml
pub mod seam;
