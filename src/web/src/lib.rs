//! fedbridge-web
