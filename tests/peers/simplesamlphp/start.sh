#!/usr/bin/env bash
# SimpleSAMLphp as a SAML identity provider in PEER_DIR. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
need php openssl curl setsid
need_path /usr/share/simplesamlphp/www simplesamlphp
need_path /etc/simplesamlphp/attributemap simplesamlphp
peer_setup

mkdir -p "$PEER_DIR"/{keys,log,data,tmp,sessions,www}
ln -sfn /usr/share/simplesamlphp/www "$PEER_DIR/www/simplesaml"
for name in idp unrelated; do
  [ -s "$PEER_DIR/keys/$name.crt" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=$name.test" \
    -keyout "$PEER_DIR/keys/$name.key" -out "$PEER_DIR/keys/$name.crt" 2>/dev/null
done

export SIMPLESAMLPHP_CONFIG_DIR="$here/config"
export PHP_CLI_SERVER_WORKERS="${PEER_WORKERS:-4}"
supervise TERM php -d display_errors=0 -d log_errors=1 -d error_log="$PEER_DIR/log/php.log" \
  -d error_reporting='E_ALL & ~E_DEPRECATED' -d session.gc_probability=0 \
  -S "127.0.0.1:$PEER_PORT" -t "$PEER_DIR/www"

base="http://127.0.0.1:$PEER_PORT/simplesaml"
fetch_metadata() {
  curl -fsS --max-time 10 -o "$PEER_DIR/idp-metadata.xml.new" "$base/saml2/idp/metadata.php" &&
    grep -q IDPSSODescriptor "$PEER_DIR/idp-metadata.xml.new"
}
await 30 fetch_metadata
mv "$PEER_DIR/idp-metadata.xml.new" "$PEER_DIR/idp-metadata.xml"
announce "$base/saml2/idp/metadata.php"
