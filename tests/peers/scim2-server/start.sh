#!/usr/bin/env bash
# PyPI scim2-server: an app with a strict SCIM server, in memory. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

python_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../python" && pwd)
need curl setsid
need_path "$python_folder/.venv/bin/scim2-server" "PyPI package scim2-server"
require SCIM_TOKEN
peer_setup

supervise TERM "$python_folder/.venv/bin/python" "$python_folder/.venv/bin/scim2-server" \
  --port "$PEER_PORT" --bearer-token "$SCIM_TOKEN"
await 30 curl -fsS --max-time 5 -H "Authorization: Bearer $SCIM_TOKEN" \
  "http://127.0.0.1:$PEER_PORT/v2/ServiceProviderConfig"
announce "http://127.0.0.1:$PEER_PORT/v2"
