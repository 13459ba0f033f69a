"""pyinfra's inventory: the laptops of compare.py, as it wrote them beside the deploy's contents."""

from __future__ import annotations

import json
import os
from pathlib import Path

_ROOM = Path(os.environ["PEER_ROOM"])

laptops = [
    (
        name,
        {
            "ssh_hostname": address,
            "ssh_user": "mvpc-admin",
            "ssh_key": str(_ROOM / "key"),
            "ssh_known_hosts_file": str(_ROOM / "known_hosts"),
            "ssh_strict_host_key_checking": "yes",
            "ssh_allow_agent": False,
            "ssh_look_for_keys": False,
            "files": str(_ROOM / "files" / name),
        },
    )
    for name, address in json.loads(os.environ["PEER_LAPTOPS"]).items()
]
