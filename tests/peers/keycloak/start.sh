#!/usr/bin/env bash
# Keycloak as an OpenID provider, all in memory. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
need java curl setsid
home=$("$here/home.sh")
need_path "$home/installed" Keycloak
peer_setup

# It writes beside its program, so it gets a folder of its own that borrows what it only reads.
mkdir -p "$PEER_DIR"/keycloak/{bin,tmp}
cp "$home/bin/kc.sh" "$PEER_DIR/keycloak/bin/"
for part in lib conf providers themes; do
  ln -sfn "$home/$part" "$PEER_DIR/keycloak/$part"
done

export KC_BOOTSTRAP_ADMIN_USERNAME="${KEYCLOAK_ADMIN:-admin}" KC_BOOTSTRAP_ADMIN_PASSWORD="${KEYCLOAK_ADMIN_PASSWORD:-admin-password}"
# A short life: the quick compiler and the simple collector halve the work of the start.
export JAVA_OPTS_KC_HEAP="-Xms64m -Xmx512m"
export JAVA_OPTS_APPEND="-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC -Djava.io.tmpdir=$PEER_DIR/keycloak/tmp"
# It comes up beside other tests, which have limits of time.
supervise TERM nice -n 5 "$PEER_DIR/keycloak/bin/kc.sh" start --optimized --http-enabled=true --hostname-strict=false \
  --http-host=127.0.0.1 --http-port="$PEER_PORT" --cache=local
await 240 curl -fsS --max-time 5 "http://127.0.0.1:$PEER_PORT/realms/master"
announce "http://127.0.0.1:$PEER_PORT"
