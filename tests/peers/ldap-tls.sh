# Shared by the LDAP servers of this folder. Sourced after lib.sh, never run.

# ldap_tls NAME...: a CA in $PEER_DIR/ca.pem, and from it keys/server.{key,crt} for 127.0.0.1, localhost and the
# NAMEs (IP:… or DNS:…), and keys/client.{key,crt} for CN=bridge. Made once.
ldap_tls() {
  need openssl
  local keys="$PEER_DIR/keys" names='IP:127.0.0.1,DNS:localhost' name
  [ ! -s "$keys/client.crt" ] || return 0
  for name in "$@"; do names+=",$name"; done
  mkdir -p "$keys"
  chmod 700 "$keys"
  elliptic_key ca
  openssl req -x509 -new -key "$keys/ca.key" -days 3650 -subj "/CN=Test CA" -out "$PEER_DIR/ca.pem"
  issue server "/CN=ldap.test" "subjectAltName=$names"
  issue client "/CN=bridge" "extendedKeyUsage=clientAuth"
}

# issue NAME SUBJECT EXTENSION
issue() {
  local keys="$PEER_DIR/keys"
  elliptic_key "$1"
  openssl req -new -key "$keys/$1.key" -subj "$2" |
    openssl x509 -req -CA "$PEER_DIR/ca.pem" -CAkey "$keys/ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 3650 \
      -extfile <(printf 'basicConstraints=critical,CA:FALSE\n%s\n' "$3") -out "$keys/$1.crt" 2>/dev/null
}

elliptic_key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PEER_DIR/keys/$1.key" 2>/dev/null
  chmod 600 "$PEER_DIR/keys/$1.key"
}

# another_port: a second free port, chosen as peer_setup does.
another_port() {
  python3 -c 'import random, socket
for port in random.sample(range(15000, 32768), 1000):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(port)
        break'
}
