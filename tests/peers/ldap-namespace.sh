# Shared by sssd and nslcd. Sourced after lib.sh, never run.

# ldap_namespace NAME: checks that a mount namespace can be made, and fills `own`, the folder whose parts are mounted over the
# machine's in there.
ldap_namespace() {
  [ "$(id -u)" = 0 ] || { echo "$1 needs root: it gets /etc and /run of its own by a mount namespace" >&2; exit 3; }
  peer_setup
  own="$PEER_DIR/own"
  mkdir -p "$own/run" "$own/pam.d"
}

# in_namespace COMMAND...: supervises COMMAND in a mount namespace of its own, and writes PEER_DIR/in, which runs other commands in
# there.
in_namespace() {
  # Of the namespace's first process; it stays the same while that becomes the daemon.
  cat >"$PEER_DIR/in" <<'IN'
#!/usr/bin/env bash
exec nsenter --target "$(cat "$(dirname "$0")/inside.pid")" --mount --wd=/ -- "$@"
IN
  chmod 755 "$PEER_DIR/in"
  rm -f "$PEER_DIR/inside.pid"
  supervise TERM unshare --mount --propagation private bash -c 'echo $$ >"$1"; shift; exec "$@"' inside "$PEER_DIR/inside.pid" "$@"
}
