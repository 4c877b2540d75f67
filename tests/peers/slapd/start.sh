#!/usr/bin/env bash
# OpenLDAP's slapd with a small company, or as a proxy of another server. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../ldap-tls.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH="$PATH:/usr/sbin"
need slapd slapadd ldapadd ldapsearch setsid
peer_setup
ldap_tls

suffix=${SLAPD_SUFFIX:-dc=acme,dc=example}
tls_port=${SLAPD_TLS_PORT:-$(another_port)}
url="ldap://127.0.0.1:$PEER_PORT"
echo "ldaps://127.0.0.1:$tls_port" >"$PEER_DIR/ldaps-url"

head_of_conf() {
  local schema module
  for schema in core cosine nis inetorgperson; do echo "include /etc/ldap/schema/$schema.schema"; done
  cat <<CONF
pidfile $PEER_DIR/slapd.pid
argsfile $PEER_DIR/slapd.args
modulepath /usr/lib/ldap
CONF
  for module in "$@"; do echo "moduleload $module"; done
  cat <<CONF
threads ${SLAPD_THREADS:-4}
loglevel ${SLAPD_LOGLEVEL:-none}
sizelimit ${SLAPD_SIZELIMIT:-unlimited}
TLSCACertificateFile $PEER_DIR/ca.pem
TLSCertificateFile $PEER_DIR/keys/server.crt
TLSCertificateKeyFile $PEER_DIR/keys/server.key
TLSVerifyClient allow
authz-regexp "^cn=bridge$" "cn=bridge,ou=services,$suffix"
${SLAPD_ALLOW:+allow $SLAPD_ALLOW}
CONF
}

# How many operations of each kind were done is below cn=Monitor.
monitor_of_conf() {
  cat <<CONF

database monitor
access to * by * read
CONF
}

company_of_conf() {
  head_of_conf back_mdb back_monitor memberof ppolicy syncprov
  cat <<CONF

database mdb
suffix "$suffix"
rootdn "cn=admin,$suffix"
rootpw admin-password
directory $PEER_DIR/data
maxsize 4294967296
dbnosync
${SLAPD_LIMITS:+limits $SLAPD_LIMITS}
index objectClass,uid,cn,mail,entryUUID,entryCSN,member,uniqueMember,memberUid,memberOf eq
index uidNumber,gidNumber eq
access to attrs=userPassword by self =wx by anonymous auth by * none
access to dn.subtree="ou=groups,$suffix" by dn.exact="cn=blind,ou=services,$suffix" none by users read by * none
access to dn.subtree="ou=people,$suffix" attrs=memberOf by dn.exact="cn=blind,ou=services,$suffix" none by users read by * none
access to * by users read by * none
overlay memberof
memberof-refint TRUE
overlay ppolicy
ppolicy_default "cn=default,ou=policies,$suffix"
ppolicy_use_lockout
overlay syncprov
syncprov-checkpoint 100 1
${SLAPD_SYNCPROV:-}
CONF
  monitor_of_conf
}

proxy_of_conf() {
  head_of_conf back_ldap back_monitor
  cat <<CONF

database ldap
suffix "$suffix"
uri "$SLAPD_PROXY_TO"
rebind-as-user yes
chase-referrals no
CONF
  monitor_of_conf
}

fill() {
  local name=${suffix%%,*}
  sed -e "s/@SUFFIX@/$suffix/g" -e "s/@NAME@/${name#dc=}/g" "$@"
}

fresh=no
if [ -n "${SLAPD_PROXY_TO:-}" ]; then
  proxy_of_conf >"$PEER_DIR/slapd.conf"
else
  company_of_conf >"$PEER_DIR/slapd.conf"
  if [ ! -e "$PEER_DIR/data/data.mdb" ]; then
    fresh=yes
    mkdir -p "$PEER_DIR/data"
    people=${SLAPD_PEOPLE:-$here/people.ldif}
    # Overlays see nothing of this, so groups come later, over LDAP; a file that is added besides says memberOf itself.
    { fill "$people"; if [ -n "${SLAPD_MORE:-}" ]; then echo; fill "$SLAPD_MORE"; fi; } >"$PEER_DIR/people.ldif"
    # SLAPD_ANY: entries of another server, whose classes may be put together in another way.
    slapadd -q -w ${SLAPD_ANY:+-s} -f "$PEER_DIR/slapd.conf" -b "$suffix" -l "$PEER_DIR/people.ldif" >"$PEER_DIR/slapadd.log" 2>&1 ||
      { echo "slapadd failed:" >&2; tail -n 15 "$PEER_DIR/slapadd.log" >&2; exit 1; }
  fi
fi

# -d keeps it in the foreground; 0 says nothing but errors.
supervise INT slapd -d "${SLAPD_DEBUG:-0}" -h "$url/ ldaps://127.0.0.1:$tls_port/" -f "$PEER_DIR/slapd.conf"
await 30 ldapsearch -x -H "$url" -s base -b '' -LLL namingContexts
if [ "$fresh" = yes ]; then
  fill "${SLAPD_GROUPS:-$here/groups.ldif}" >"$PEER_DIR/groups.ldif"
  ldapadd -x -H "$url" -D "cn=admin,$suffix" -w admin-password -f "$PEER_DIR/groups.ldif" >"$PEER_DIR/ldapadd.log" 2>&1 ||
    { echo "ldapadd failed:" >&2; tail -n 15 "$PEER_DIR/ldapadd.log" >&2; exit 1; }
fi
announce "$url"
