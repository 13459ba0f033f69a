"""Which of its tasks the program shall do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mvpc.device.undo.network import ruleset
from mvpc.device.undo.settling import settle
from mvpc.device.undo.taking_back import take_back
from mvpc.device.undo.tools import SETTLED
from mvpc.device.undo.ways import open_ways

FOLDER = "/var/lib/mvpc/undo"
NOT_CONFIRMED = "nobody got in over a new connection in time"
NOT_ENDED = "the change did not come to its end in time"
RESTARTED = "the laptop was started again before anybody got in"


def start(words: Sequence[str], folder: Path = Path(FOLDER), root: Path = Path("/")) -> int:
    """Do what the word says; without one, take back what nobody confirmed in time."""
    if words == ["look"]:
        sys.stdout.write(json.dumps({"rules": ruleset(), "ways": open_ways(root)}))
    elif words == ["settle"]:
        settle(folder, root)
    elif words == ["boot"]:
        take_back(folder, root, RESTARTED, booting=True)
    else:
        take_back(folder, root, NOT_CONFIRMED if (folder / SETTLED).exists() else NOT_ENDED)
    return 0
