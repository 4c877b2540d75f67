//! Directories that hold the passwords: OpenLDAP, and Samba as Active Directory.

mod alone;
mod openldap;
mod samba;
mod sync;
mod sync_active_directory;
