#!/usr/bin/env bash
# sssd with NSS and PAM of its own, in a private mount namespace. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../ldap-namespace.sh"

PATH="$PATH:/usr/sbin:/sbin"
need sssd getent pamtester setsid unshare nsenter
need_path "$(echo /usr/lib/*/sssd/libsss_ldap.so)" sssd-ldap
need_path "$(echo /usr/lib/*/libnss_sss.so.2)" libnss-sss
need_path "$(echo /usr/lib/*/security/pam_sss.so)" libpam-sss
require LDAP_URL LDAP_CA LDAP_BASE LDAP_BIND_DN LDAP_BIND_PASSWORD
ldap_namespace sssd

cat >"$own/sssd.conf" <<CONF
[sssd]
services = nss, pam
domains = company
[nss]
filter_users = root
[pam]
pam_id_timeout = 1
[domain/company]
id_provider = ldap
auth_provider = ldap
access_provider = permit
ldap_uri = $LDAP_URL
ldap_tls_cacert = $LDAP_CA
ldap_tls_reqcert = demand
ldap_search_base = $LDAP_BASE
ldap_default_bind_dn = $LDAP_BIND_DN
ldap_default_authtok = $LDAP_BIND_PASSWORD
ldap_schema = ${LDAP_SCHEMA:-rfc2307bis}
ldap_page_size = ${LDAP_PAGE_SIZE:-1000}
ldap_id_use_start_tls = ${LDAP_START_TLS:-false}
enumerate = ${LDAP_ENUMERATE:-false}
cache_credentials = false
entry_cache_timeout = 1
entry_negative_timeout = 1
ldap_enumeration_refresh_timeout = 5
debug_level = ${SSSD_DEBUG:-1}
CONF
chmod 600 "$own/sssd.conf"
printf 'passwd: files sss\ngroup: files sss\nshadow: files\n' >"$own/nsswitch.conf"
printf 'auth required pam_sss.so\naccount required pam_sss.so\npassword required pam_sss.so\n' >"$own/pam.d/company"
mkdir -p "$own/sss/"{db,mc,pubconf/krb5.include.d,pipes/private,gpo_cache,secrets,keytabs,deskprofile} "$own/log"
chmod 700 "$own/sss/"{db,pipes/private,secrets,keytabs}

in_namespace bash -c '
  own=$1
  mount --bind "$own/sss" /var/lib/sss
  mount --bind "$own/log" /var/log/sssd
  mount --bind "$own/run" /run
  mount --bind "$own/pam.d" /etc/pam.d
  mount --bind "$own/nsswitch.conf" /etc/nsswitch.conf
  exec sssd -i -c "$own/sssd.conf"' sssd "$own"
await 30 test -S "$own/sss/pipes/private/pam"
await 30 "$PEER_DIR/in" getent passwd "${LDAP_PROBE:-alice}"
announce "$LDAP_URL"
