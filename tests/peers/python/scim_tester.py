"""Asks a SCIM server all that scim2-tester knows. One line of JSON for each check: status, title, reason.

    SCIM_TOKEN=... scim_tester.py ADDRESS
"""

import json
import os
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

address = sys.argv[1].rstrip("/")
headers = {"Authorization": f"Bearer {os.environ['SCIM_TOKEN']}"}
with Client(base_url=address, headers=headers, timeout=30) as client:
    for result in check_server(SyncSCIMClient(client)):
        print(json.dumps({"status": result.status.name, "title": result.title, "reason": result.reason or ""}))
