"""Whether the playbooks of a project and mvpc itself belong together: a project keeps its own copy of them."""

from __future__ import annotations

import re
from pathlib import Path

from mvpc import __version__
from mvpc.errors import RolloutError

_COLLECTION = "collections/ansible_collections/mvpc/fleet/galaxy.yml"


def refuse_other(playbooks: Path) -> None:
    """Stop before a laptop is touched by playbooks of another version; raises RolloutError."""
    path = playbooks / _COLLECTION
    try:
        found = re.search(r"^version: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError as error:
        raise RolloutError(
            f"the playbooks cannot be read ({error.strerror})", where=str(path), hint="Copy them from mvpc's source"
        ) from error
    if found is None or found[1] != __version__:
        version = found[1] if found else "unknown"
        raise RolloutError(
            f"these playbooks belong to mvpc {version}, and this is mvpc {__version__}",
            where=str(path),
            hint="Put the folder playbooks/ of this version in their place; keep playbooks/local",
        )
