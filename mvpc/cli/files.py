"""Files that commands write for people."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from mvpc.errors import InputError


def replace_file(path: Path, content: str | bytes) -> None:
    """Write the file whole or not at all: whoever reads it sees the old content or the new one."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise InputError("this is no file that could be replaced", where=str(path))
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    try:
        with fresh.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError("there is no such folder", where=str(path.parent)) from error
    finally:
        fresh.unlink(missing_ok=True)
