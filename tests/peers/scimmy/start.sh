#!/usr/bin/env bash
# npm scimmy with scimmy-routers: an app with a SCIM server, in memory. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

node_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../node" && pwd)
need node curl setsid
need_path "$node_folder/node_modules/scimmy-routers" "npm package scimmy-routers"
require SCIM_TOKEN
peer_setup

supervise TERM node "$node_folder/scim-app.mjs"
await 30 curl -fsS --max-time 5 -H "Authorization: Bearer $SCIM_TOKEN" \
  "http://127.0.0.1:$PEER_PORT/scim/ServiceProviderConfig"
announce "http://127.0.0.1:$PEER_PORT/scim"
