#!/usr/bin/env bash
# A PostgreSQL server of its own in PEER_DIR. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# Debian keeps the server's commands outside of PATH, one folder a version.
for bin in /usr/lib/postgresql/*/bin; do PATH="$bin:$PATH"; done
need postgres initdb pg_isready setsid setpriv
peer_setup

# PostgreSQL refuses to run as root.
become postgres
data="$PEER_DIR/data"
sockets="$PEER_DIR/sockets"
mkdir -p "$data" "$sockets"
if [ "$(id -u)" = 0 ]; then chown postgres "$data" "$sockets"; fi
chmod 700 "$data"
chmod 755 "$sockets"

# Off: the machine's death loses what is there, and no test's time hangs on the disk.
durable=on
[ "${PG_DURABLE:-1}" = 1 ] || durable=off

if [ ! -f "$data/PG_VERSION" ]; then
  # Only this first filling skips fsync: nothing in it is anybody's data yet.
  if ! (cd "$PEER_DIR" && "${AS_USER[@]}" initdb --pgdata="$data" --username=postgres --auth=trust \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions) >"$PEER_DIR/initdb.log" 2>&1; then
    echo "initdb failed:" >&2
    tail -n 15 "$PEER_DIR/initdb.log" >&2
    exit 1
  fi
  [ "$durable" = off ] || sync -f "$data"
fi
rm -f "$data/postmaster.pid"

# A socket's whole path may have 107 bytes; below a longer PEER_DIR there is only TCP.
socket_setting=$sockets
[ $((${#sockets} + 20)) -le 107 ] || socket_setting=

# PostgreSQL takes the first rule that fits.
hba="$data/pg_hba.conf"
if [ -n "${PG_HBA:-}" ]; then
  hba="$PEER_DIR/pg_hba.conf"
  printf '%s\n' "$PG_HBA" 'local all all trust' 'host all all 127.0.0.1/32 trust' >"$hba"
  chmod 644 "$hba"
fi

cd "$PEER_DIR"
touch peer.log
# INT is PostgreSQL's fast stop: TERM would wait for every client to leave.
supervise INT "${AS_USER[@]}" postgres -D "$data" -h 127.0.0.1 -p "$PEER_PORT" -k "$socket_setting" \
  -c "fsync=$durable" -c synchronous_commit=on -c "full_page_writes=$durable" \
  -c "hba_file=$hba" -c "max_connections=${PG_MAX_CONNECTIONS:-200}" -c "shared_buffers=${PG_SHARED_BUFFERS:-128MB}"
await 30 pg_isready -q -h 127.0.0.1 -p "$PEER_PORT"
announce "postgres://postgres@127.0.0.1:$PEER_PORT/postgres"
