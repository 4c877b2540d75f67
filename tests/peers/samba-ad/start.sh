#!/usr/bin/env bash
# Samba as an Active Directory domain controller with a small company. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../ldap-tls.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH="$PATH:/usr/sbin:/sbin"
need samba samba-tool ip flock ldapsearch setsid python3
need_path /usr/share/samba/setup/provision.ldif samba-ad-provision
[ "$(id -u)" = 0 ] || { echo "samba needs root: Active Directory's ports are below 1024" >&2; exit 3; }
peer_setup

template=$("$here/template.sh")

# Its ports are fixed, so each controller has a loopback address of its own. Adding it fails where another has it.
address=
for _ in $(seq 50); do
  address="127.53.$((RANDOM % 254 + 1)).$((RANDOM % 254 + 1))"
  ! ip addr add "$address/32" dev lo 2>/dev/null || break
  address=
done
[ -n "$address" ] || { echo "no loopback address can be added" >&2; exit 1; }
echo "$address" >"$PEER_DIR/address"
drop_address() { ip addr del "$address/32" dev lo 2>/dev/null || true; }
trap drop_address EXIT

ldap_tls "IP:$address" DNS:dc1.ad.example.test
[ -e "$PEER_DIR/dc" ] || cp -a "$template/dc" "$PEER_DIR/dc"
mkdir -p "$PEER_DIR/run" "$PEER_DIR/ncalrpc"
cat >"$PEER_DIR/smb.conf" <<CONF
[global]
netbios name = DC1
realm = AD.EXAMPLE.TEST
workgroup = ADX
server role = active directory domain controller
server services = ldap
interfaces = $address/32
bind interfaces only = yes
private dir = $PEER_DIR/dc/private
state directory = $PEER_DIR/dc/state
cache directory = $PEER_DIR/dc/cache
lock directory = $PEER_DIR/dc
binddns dir = $PEER_DIR/dc/bind-dns
pid directory = $PEER_DIR/run
ncalrpc dir = $PEER_DIR/ncalrpc
log level = ${SAMBA_LOG_LEVEL:-0}
ldap server require strong auth = ${SAMBA_STRONG_AUTH:-yes}
tls enabled = yes
tls keyfile = $PEER_DIR/keys/server.key
tls certfile = $PEER_DIR/keys/server.crt
tls cafile = $PEER_DIR/ca.pem
CONF

# The address goes with it, however it ends. Samba itself takes its time after a TERM; its files stand a sudden end.
supervise TERM bash -c '
  samba -s "$1" -i -M single --no-process-group --debug-stdout </dev/null &
  server=$!
  trap "kill -KILL $server" TERM
  status=0
  wait "$server" || status=$?
  ip addr del "$2/32" dev lo
  exit "$status"' samba-ad "$PEER_DIR/smb.conf" "$address"
export LDAPTLS_CACERT="$PEER_DIR/ca.pem"
await 60 ldapsearch -x -H "ldaps://$address" -s base -b '' -LLL defaultNamingContext
announce "ldaps://$address:636"
