#!/usr/bin/env bash
# A SAML identity provider on PyPI's pysaml2. Settings: tests/peers/README.md.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

python_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../python" && pwd)
python=$python_folder/.venv/bin/python
need curl setsid xmlsec1
need_path "$python" "the Python package pysaml2"
peer_setup
saml_key idp

export PYTHONDONTWRITEBYTECODE=1
supervise TERM "$python" -u "$python_folder/pysaml2_idp.py"
await 30 curl -fsS --max-time 5 -o "$PEER_DIR/idp-metadata.xml" "http://127.0.0.1:$PEER_PORT/metadata"
announce "http://127.0.0.1:$PEER_PORT/metadata"
