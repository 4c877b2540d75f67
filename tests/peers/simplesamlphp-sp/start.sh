#!/usr/bin/env bash
# SimpleSAMLphp as a SAML service provider in PEER_DIR. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
need php curl setsid
need_path /usr/share/simplesamlphp/www simplesamlphp
need_path /etc/simplesamlphp/attributemap simplesamlphp
peer_setup
saml_key sp
fetch_idp_metadata

mkdir -p "$PEER_DIR"/{log,data,tmp,www}
ln -sfn /usr/share/simplesamlphp/www "$PEER_DIR/www/simplesaml"
ln -sfn "$here/www/index.php" "$PEER_DIR/www/index.php"

export SIMPLESAMLPHP_CONFIG_DIR="$here/config"
export PHP_CLI_SERVER_WORKERS="${PEER_WORKERS:-4}"
supervise TERM php -d display_errors=0 -d log_errors=1 -d error_log="$PEER_DIR/log/php.log" \
  -d error_reporting='E_ALL & ~E_DEPRECATED' -d session.gc_probability=0 \
  -S "127.0.0.1:$PEER_PORT" -t "$PEER_DIR/www"

base="http://127.0.0.1:$PEER_PORT"
await 30 curl -fsS --max-time 10 -o "$PEER_DIR/sp-metadata.xml" "$base/simplesaml/module.php/saml/sp/metadata.php/default-sp"
announce "$base/"
