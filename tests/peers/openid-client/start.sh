#!/usr/bin/env bash
# A relying party on npm openid-client. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

node_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../node" && pwd)
need node curl setsid
need_path "$node_folder/node_modules/openid-client" "npm package openid-client"
require OIDC_ISSUER OIDC_CLIENT_ID
peer_setup

supervise TERM node "$node_folder/rp.mjs"
await 30 curl -fsS --max-time 5 "http://127.0.0.1:$PEER_PORT/health"
announce "http://127.0.0.1:$PEER_PORT/"
