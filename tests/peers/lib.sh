# Shared by every start.sh of this folder. Sourced, never run.
# What a peer promises (foreground, PEER_DIR, ready line, no orphans) is in README.md.
set -euo pipefail

PEER_INSTALL_HINT='run scripts/install-deps.sh test'

# need COMMAND...: ends with status 3 and one line when a command is missing.
need() {
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null 2>&1 || missing "$command"
  done
}

# need_path PATH NAME: the same for something that is a file or a folder, not a command.
need_path() {
  [ -e "$1" ] || missing "$2"
}

missing() {
  echo "$1 is missing: $PEER_INSTALL_HINT" >&2
  exit 3
}

# require VARIABLE...: ends with status 2 when a setting was not given.
require() {
  local name
  for name in "$@"; do
    if [ -z "${!name:-}" ]; then
      echo "$name is not set: tests/peers/README.md lists the settings of this peer" >&2
      exit 2
    fi
  done
}

# Makes PEER_DIR absolute and existing, and picks a free loopback port where PEER_PORT is empty or 0.
peer_setup() {
  require PEER_DIR
  mkdir -p "$PEER_DIR"
  PEER_DIR=$(cd "$PEER_DIR" && pwd)
  rm -f "$PEER_DIR/ready"
  if [ -z "${PEER_PORT:-}" ] || [ "$PEER_PORT" = 0 ]; then
    need python3
    # Below the ports that the system gives to outgoing connections, which could take it in the meantime.
    PEER_PORT=$(python3 -c 'import random, socket
for port in random.sample(range(15000, 32768), 1000):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(port)
        break')
  fi
  export PEER_DIR PEER_PORT
}

# saml_key NAME: a fresh RSA key and its self-signed certificate in $PEER_DIR/keys, made once.
saml_key() {
  need openssl
  mkdir -p "$PEER_DIR/keys"
  [ -s "$PEER_DIR/keys/$1.crt" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=$1.test" \
    -keyout "$PEER_DIR/keys/$1.key" -out "$PEER_DIR/keys/$1.crt" 2>/dev/null
}

# fetch_idp_metadata: $PEER_DIR/idp-metadata.xml from IDP_METADATA_URL, which must answer by now.
fetch_idp_metadata() {
  need curl
  require IDP_METADATA_URL
  curl -fsS --max-time 10 --retry 20 --retry-delay 0 --retry-connrefused --retry-max-time 10 \
    -o "$PEER_DIR/idp-metadata.xml" "$IDP_METADATA_URL" ||
    { echo "no metadata at $IDP_METADATA_URL" >&2; exit 1; }
}

# become USER: fills AS_USER with the words that run a command as USER when we are root (else with none),
# and lets USER pass through PEER_DIR. Folders above PEER_DIR are opened only inside the folder for
# temporary files; one elsewhere that is closed is an error.
AS_USER=()
become() {
  [ "$(id -u)" = 0 ] || return 0
  id "$1" >/dev/null 2>&1 || missing "the user $1"
  AS_USER=(setpriv --reuid "$1" --regid "$1" --init-groups)
  local folder=$PEER_DIR temporary
  temporary=$(cd "${TMPDIR:-/tmp}" && pwd)
  chmod go+x "$folder"
  while folder=$(dirname "$folder") && [[ "$folder" == "$temporary"/* ]]; do
    chmod go+x "$folder"
  done
  if ! "${AS_USER[@]}" test -x "$PEER_DIR"; then
    echo "the user $1 can't reach $PEER_DIR: choose a PEER_DIR inside $temporary" >&2
    exit 1
  fi
}

# supervise STOP_SIGNAL COMMAND...: starts COMMAND in a process group of its own, output in
# $PEER_DIR/peer.log. Its end is tied to ours, however we end: by SIGTERM, by SIGKILL, or with our
# parent (unless PEER_KEEP=1). It gets STOP_SIGNAL, and SIGKILL when it is still there after 5 s.
supervise() {
  PEER_STOP_SIGNAL=$1
  shift
  setsid "$@" >>"$PEER_DIR/peer.log" 2>&1 </dev/null &
  PEER_CHILD=$!
  echo "$PEER_CHILD" >"$PEER_DIR/peer.pid"
  trap 'peer_stop; exit 0' TERM INT HUP
  trap peer_stop EXIT
  # The watcher sleeps on a pipe that only this shell holds open: end of file means that we are gone.
  exec 9> >(exec setsid bash -c '
    child=$1 us=$2 signal=$3 parent=$4
    while :; do
      status=0; read -r -t 1 _ || status=$?
      [ "$status" -gt 128 ] || break
      [ -z "$parent" ] || [ -d "/proc/$parent" ] || kill -TERM "$us"
    done
    kill "-$signal" -- "-$child" || exit
    for _ in $(seq 50); do kill -0 "$child" || break; sleep 0.1; done
    kill -KILL -- "-$child"' watcher "$PEER_CHILD" $$ "$PEER_STOP_SIGNAL" "$([ "${PEER_KEEP:-0}" = 1 ] || echo "$PPID")" >/dev/null 2>&1)
}

peer_stop() {
  trap - EXIT TERM INT HUP
  kill "-$PEER_STOP_SIGNAL" -- "-$PEER_CHILD" 2>/dev/null || true
  for _ in $(seq 50); do
    kill -0 "$PEER_CHILD" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL -- "-$PEER_CHILD" 2>/dev/null || true
  rm -f "$PEER_DIR/ready"
}

# await SECONDS COMMAND...: repeats COMMAND until it succeeds; ends with the log's tail when the
# peer dies or stays silent.
await() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    kill -0 "$PEER_CHILD" 2>/dev/null || give_up 'the peer ended before it was ready'
    [ "$SECONDS" -lt "$end" ] || give_up 'the peer was not ready in time'
    sleep 0.1
  done
  # Somebody else may have answered on that port while our own peer could not take it.
  kill -0 "$PEER_CHILD" 2>/dev/null || give_up "the peer ended: port $PEER_PORT may be in use"
}

give_up() {
  echo "$1; the end of $PEER_DIR/peer.log:" >&2
  tail -n 15 "$PEER_DIR/peer.log" >&2
  exit 1
}

# announce URL: the one line on standard output, then waits for the peer's end.
announce() {
  echo "$1" >"$PEER_DIR/ready"
  echo "ready $1"
  wait "$PEER_CHILD" || true
  give_up 'the peer ended by itself'
}
