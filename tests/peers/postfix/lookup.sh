#!/usr/bin/env bash
# lookup.sh KEY: what Postfix finds for KEY in a directory. Settings: tests/peers/README.md.
#
# Exit 0 with the value; 1 where there is none (postmap's own status), or the look-up failed (with a line on
# standard error).
set -euo pipefail
[ $# = 1 ] || { echo "usage: lookup.sh KEY" >&2; exit 2; }
PATH="$PATH:/usr/sbin"
command -v postmap >/dev/null 2>&1 || { echo "postmap is missing: run scripts/install-deps.sh test" >&2; exit 3; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mode='start_tls = no'
[[ "$LDAP_URL" != ldap://* ]] || mode='start_tls = yes'
cat >"$folder/main.cf" <<CONF
compatibility_level = 3.6
# postmap logs to a terminal, and there is no syslog here.
maillog_file =
CONF
cat >"$folder/people.cf" <<CONF
server_host = $LDAP_URL
version = 3
$mode
tls_ca_cert_file = $LDAP_CA
tls_require_cert = yes
bind = yes
bind_dn = $LDAP_BIND_DN
bind_pw = $LDAP_BIND_PASSWORD
search_base = $LDAP_PEOPLE
query_filter = ${POSTFIX_FILTER:-(&(objectClass=inetOrgPerson)(mail=%s))}
result_attribute = ${POSTFIX_RESULT:-uid}
CONF
[ ! -e /etc/postfix/dynamicmaps.cf ] || cp -r /etc/postfix/dynamicmaps.cf* "$folder/"
postmap -c "$folder" -q "$1" "ldap:$folder/people.cf"
