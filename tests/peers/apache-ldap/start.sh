#!/usr/bin/env bash
# Apache httpd whose people and groups are in a directory, by mod_authnz_ldap. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

PATH="$PATH:/usr/sbin"
need apache2 curl setsid setpriv
modules=/usr/lib/apache2/modules
need_path "$modules/mod_authnz_ldap.so" apache2
require LDAP_URL LDAP_CA LDAP_PEOPLE LDAP_BIND_DN LDAP_BIND_PASSWORD LDAP_GROUP LDAP_PERSON
peer_setup
# Apache wants to serve as somebody else than root.
become www-data

mkdir -p "$PEER_DIR/htdocs"
cp "$LDAP_CA" "$PEER_DIR/ca.pem"
chmod 644 "$PEER_DIR/ca.pem"
mode=NONE
[[ "$LDAP_URL" != ldap://* ]] || mode=STARTTLS

# page NAME REQUIREMENT
page() {
  mkdir -p "$PEER_DIR/htdocs/$1"
  echo "welcome to $1" >"$PEER_DIR/htdocs/$1/index.html"
  cat <<CONF
<Location /$1>
  AuthType Basic
  AuthName company
  AuthBasicProvider ldap
  AuthLDAPURL "$LDAP_URL/$LDAP_PEOPLE?uid" $mode
  AuthLDAPBindDN "$LDAP_BIND_DN"
  AuthLDAPBindPassword "$LDAP_BIND_PASSWORD"
  AuthLDAPGroupAttribute ${LDAP_GROUP_ATTRIBUTE:-member}
  AuthLDAPMaxSubGroupDepth ${LDAP_DEPTH:-0}
  AuthLDAPSubGroupClass groupOfNames
  AuthLDAPSubGroupAttribute member
  Require $2
</Location>
CONF
}

{
  cat <<CONF
ServerRoot "$PEER_DIR"
ServerName 127.0.0.1:$PEER_PORT
Listen 127.0.0.1:$PEER_PORT
PidFile "$PEER_DIR/httpd.pid"
DefaultRuntimeDir "$PEER_DIR"
ErrorLog "$PEER_DIR/error.log"
LogLevel ${APACHE_LOG_LEVEL:-warn}
DocumentRoot "$PEER_DIR/htdocs"
User www-data
Group www-data
KeepAlive On

LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authn_core_module $modules/mod_authn_core.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule authz_user_module $modules/mod_authz_user.so
LoadModule auth_basic_module $modules/mod_auth_basic.so
LoadModule dir_module $modules/mod_dir.so
LoadModule ldap_module $modules/mod_ldap.so
LoadModule authnz_ldap_module $modules/mod_authnz_ldap.so

LDAPTrustedGlobalCert CA_BASE64 "$PEER_DIR/ca.pem"
LDAPVerifyServerCert On
# What it asked once it would remember for ten minutes, and tests change their minds.
LDAPCacheTTL 0
LDAPOpCacheTTL 0
LDAPConnectionTimeout 5
LDAPTimeout 10
CONF
  page anybody valid-user
  page user "ldap-user $LDAP_PERSON"
  page group "ldap-group $LDAP_GROUP"
  page dn "ldap-dn ${LDAP_PERSON_DN:-uid=$LDAP_PERSON,$LDAP_PEOPLE}"
  page attribute "ldap-attribute ${LDAP_ATTRIBUTE:-sn=Archer}"
  page filter "ldap-filter ${LDAP_FILTER:-&(objectClass=person)(givenName=Al*)}"
} >"$PEER_DIR/httpd.conf"
chmod -R go+rX "$PEER_DIR/htdocs"
rm -f "$PEER_DIR/httpd.pid"

# -X keeps everything in this one process, with many threads.
supervise TERM apache2 -X -f "$PEER_DIR/httpd.conf"
await 30 curl -sS --max-time 5 -o /dev/null "http://127.0.0.1:$PEER_PORT/anybody/"
announce "http://127.0.0.1:$PEER_PORT"
