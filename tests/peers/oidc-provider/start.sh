#!/usr/bin/env bash
# npm oidc-provider as an OpenID provider. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

node_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../node" && pwd)
need node curl setsid
need_path "$node_folder/node_modules/oidc-provider" "npm package oidc-provider"
require RP_ADDRESS CLIENT_ID
[ "${OP_CLIENT_AUTH:-}" = private_key_jwt ] || require CLIENT_SECRET
peer_setup

supervise TERM node "$node_folder/op.mjs"
await 30 curl -fsS --max-time 5 "http://127.0.0.1:$PEER_PORT/.well-known/openid-configuration"
announce "http://127.0.0.1:$PEER_PORT"
