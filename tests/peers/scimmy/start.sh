#!/usr/bin/env bash
# npm scimmy as the SCIM server of an app. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

node_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../node" && pwd)
need node curl setsid
need_path "$node_folder/node_modules/scimmy" "npm package scimmy"
require SCIM_TOKEN
peer_setup

supervise TERM node "$node_folder/scimmy.mjs"
await 30 curl -fsS --max-time 5 "http://127.0.0.1:$PEER_PORT/alive"
announce "http://127.0.0.1:$PEER_PORT/scim/v2"
