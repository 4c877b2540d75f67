#!/usr/bin/env bash
# A SAML service provider on npm @node-saml/node-saml. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

node_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../node" && pwd)
need node curl setsid
need_path "$node_folder/node_modules/@node-saml/node-saml" "npm package @node-saml/node-saml"
peer_setup
saml_key sp
fetch_idp_metadata

supervise TERM node "$node_folder/saml-sp.mjs"
await 30 curl -fsS --max-time 5 -o "$PEER_DIR/sp-metadata.xml" "http://127.0.0.1:$PEER_PORT/metadata"
announce "http://127.0.0.1:$PEER_PORT/"
