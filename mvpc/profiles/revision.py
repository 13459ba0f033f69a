"""The profiles of an earlier revision in git."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from mvpc.errors import InputError, MvpcError
from mvpc.profiles.layers import FOLDER
from mvpc.text import safe

_SECONDS = 60


@contextmanager
def at_revision(root: Path, revision: str) -> Iterator[Path]:
    """A temporary folder that holds `profiles/` as it was in a git revision; it is gone afterwards.

    Raises:
        InputError: the project folder is in no git repository, or has no such revision.
        MvpcError: git is not installed, or fails.
    """
    commit = _commit(root, revision)
    with tempfile.TemporaryDirectory(prefix="mvpc-profiles-") as folder:
        _unpack(_git(root, "archive", "--format=tar", commit, "--", "."), Path(folder))
        yield Path(folder)


def _commit(root: Path, revision: str) -> str:
    if _run(root, "rev-parse", "--git-dir").returncode:
        raise InputError("the project folder is in no git repository", where=str(root), hint="Make one with: git init")
    found = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    if found.returncode:
        step = "Name a commit, a branch or a tag; git log --oneline shows them"
        raise InputError(f"git knows no revision {revision}", where=str(root), hint=step)
    return found.stdout.decode().strip()


def _git(root: Path, *arguments: str) -> bytes:
    done = _run(root, *arguments)
    if done.returncode:
        reason = safe(done.stderr.decode(errors="replace").strip().partition("\n")[0], limit=200)
        raise MvpcError(f"git {arguments[0]} failed ({reason})", where=str(root))
    return done.stdout


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(("git", *arguments), cwd=root, capture_output=True, check=False, timeout=_SECONDS)
    except FileNotFoundError as error:
        raise MvpcError("git is not installed", hint="Install it with: apt-get install git") from error
    except subprocess.TimeoutExpired as error:
        raise MvpcError(f"git {arguments[0]} took longer than {_SECONDS} s", where=str(root)) from error


def _unpack(archive: bytes, folder: Path) -> None:
    """Write the regular files of profiles and roles. Links and odd names are left out: nothing may leave the folder."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts
            wanted = parts[:1] == (FOLDER,) or parts[:2] == ("playbooks", "local")
            content = tar.extractfile(member) if member.isreg() and wanted else None
            if content is None or ".." in parts:
                continue
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            path.chmod(0o755 if member.mode & 0o100 else 0o644)
