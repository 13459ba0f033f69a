"""How the device program starts on a laptop: compiled, as an earlier apply has left it there, or else compiled anew.

Sent in front of it, since compiling takes as long as the whole walk over a laptop with nothing to do. An apply keeps
the result where only root can enter, under the fingerprints of this very text and this very Python, and with its own.
What does not fit is as good as nothing (ADR 26). Needs Python >= 3.9 and its standard library.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import sys
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

KEPT = Path("/var/lib/mvpc/program")
LABEL_BYTES = 32


def start(text: str, request: str) -> None:
    """Let the program answer the request, and end."""
    order = json.loads(request)
    program: dict[str, Any] = {"__name__": "__main__"}
    exec(compiled(text, keep=order["action"] == "apply"), program)  # noqa: S102 - it is what was sent
    # Python takes longer to tidy up than to start.
    os._exit(program["main"](order))


def compiled(text: str, *, keep: bool, path: Path = KEPT) -> CodeType:
    """The program as it is kept here; else made from its text now, and kept from now on if that is wanted."""
    label = hashlib.sha256(f"{sys.version}\n{text}".encode()).digest()
    if found := kept(label, path):
        return found
    code = compile(text, "the device program", "exec", dont_inherit=True)
    if keep:
        with suppress(OSError):  # a full disk stops nothing here
            store(label, marshal.dumps(code), path)
    return code


def kept(label: bytes, path: Path) -> CodeType | None:
    """What is kept under this label, if it is whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    code = data[2 * LABEL_BYTES :]
    if data[: 2 * LABEL_BYTES] != label + hashlib.sha256(code).digest():
        return None
    loaded: CodeType = marshal.loads(code)  # noqa: S302 - root's own, and as it was written
    return loaded


def store(label: bytes, code: bytes, path: Path) -> None:
    """Keep code in place of what is kept so far; after a crash there is the one, the other, or what fits no label."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".mvpc-{path.name}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(label + hashlib.sha256(code).digest() + code)
    fresh.replace(path)
