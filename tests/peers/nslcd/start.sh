#!/usr/bin/env bash
# nslcd with its NSS and PAM modules, in a private mount namespace. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../ldap-namespace.sh"

PATH="$PATH:/usr/sbin:/sbin"
need nslcd getent pamtester setsid unshare nsenter
need_path "$(echo /usr/lib/*/libnss_ldap.so.2)" libnss-ldapd
need_path "$(echo /usr/lib/*/security/pam_ldap.so)" libpam-ldapd
require LDAP_URL LDAP_CA LDAP_BASE LDAP_BIND_DN LDAP_BIND_PASSWORD
ldap_namespace nslcd

cat >"$own/nslcd.conf" <<CONF
uri $LDAP_URL
base $LDAP_BASE
binddn $LDAP_BIND_DN
bindpw $LDAP_BIND_PASSWORD
ssl ${LDAP_SSL:-on}
tls_reqcert demand
tls_cacertfile $LDAP_CA
pagesize ${LDAP_PAGE_SIZE:-1000}
nss_min_uid 1000
${LDAP_NSLCD_MORE:-}
CONF
chmod 600 "$own/nslcd.conf"
printf 'passwd: files ldap\ngroup: files ldap\nshadow: files ldap\n' >"$own/nsswitch.conf"
printf 'auth required pam_ldap.so minimum_uid=1000\naccount required pam_ldap.so minimum_uid=1000\npassword required pam_ldap.so minimum_uid=1000\n' \
  >"$own/pam.d/company"
mkdir -p "$own/run/nslcd"

in_namespace bash -c '
  own=$1
  mount --bind "$own/run" /run
  mount --bind "$own/pam.d" /etc/pam.d
  mount --bind "$own/nsswitch.conf" /etc/nsswitch.conf
  mount --bind "$own/nslcd.conf" /etc/nslcd.conf
  exec nslcd --nofork' nslcd "$own"
await 30 test -S "$own/run/nslcd/socket"
await 30 "$PEER_DIR/in" getent passwd "${LDAP_PROBE:-alice}"
announce "$LDAP_URL"
