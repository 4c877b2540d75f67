#!/usr/bin/env bash
# LemonLDAP::NG as an OpenID provider under starman. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
need python3 openssl starman curl setsid
need_path /usr/share/lemonldap-ng/portal/templates liblemonldap-ng-portal-perl
require RP_ADDRESS CLIENT_ID CLIENT_SECRET
peer_setup
python3 "$here/lmconf.py"

export LLNG_DEFAULTCONFFILE="$PEER_DIR/lemonldap-ng.ini"
supervise TERM starman --listen "127.0.0.1:$PEER_PORT" --workers 3 --pid "$PEER_DIR/starman.pid" "$PEER_DIR/portal.psgi"
await 60 curl -fsS --max-time 5 "http://127.0.0.1:$PEER_PORT/.well-known/openid-configuration"
announce "http://127.0.0.1:$PEER_PORT"
