#!/usr/bin/env bash
# PyPI's scim2-server as the SCIM server of an app. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

python_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../python" && pwd)
python=$python_folder/.venv/bin/python
need curl setsid
need_path "$python" "the Python package scim2-server"
require SCIM_TOKEN
peer_setup

export PYTHONDONTWRITEBYTECODE=1
supervise TERM "$python" -c 'from scim2_server.testserver.cli import main; main()' \
  --port "$PEER_PORT" --bearer-token "$SCIM_TOKEN"
await 30 curl -fsS --max-time 5 -H "Authorization: Bearer $SCIM_TOKEN" "http://127.0.0.1:$PEER_PORT/ServiceProviderConfig"
announce "http://127.0.0.1:$PEER_PORT"
