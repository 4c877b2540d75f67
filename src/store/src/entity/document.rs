use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "documents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub party_id: Uuid,
    pub party_kind: String,
    pub url: String,
    pub xml: String,
    pub xml_hash: Vec<u8>,
    pub etag: Option<String>,
    pub fetched_at: i64,
    pub valid_until: Option<i64>,
    pub last_look_at: i64,
    pub next_look_at: i64,
    pub failures: i64,
    pub last_failure: Option<String>,
    pub held_xml: Option<String>,
    pub held_drift: Option<String>,
    pub held_since: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
