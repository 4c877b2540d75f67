//! fedbridge-migrations
