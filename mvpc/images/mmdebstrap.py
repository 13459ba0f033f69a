"""Run mmdebstrap so that nothing of it outlives a time-out or an interrupt."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mvpc.errors import LabError
from mvpc.images.archive import Archive
from mvpc.images.controller import ENVIRONMENT, trust_options
from mvpc.images.definition import ImageDefinition
from mvpc.images.recipe import Recipe

TIMEOUT_S = 1800
ATTEMPTS = 3
"""apt asks again when a connection breaks, but not when an archive or a proxy answers with an error of a moment."""
PAUSE_S = 5
_NOT_FETCHED = "E: Failed to fetch "


CONTAINED = ("setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")
"""mmdebstrap mounts /proc and /sys into the new system. In namespaces of its own these, and all its processes,
are gone the moment it ends or we do, however we end."""


def bootstrap(recipe: Recipe, rootfs: Path, *, log: Path) -> None:
    """Fill the folder `rootfs` with Debian and the definition's packages.

    Raises:
        LabError: mmdebstrap failed or took too long; names the log.
    """
    for attempt in range(1, ATTEMPTS + 1):
        if _bootstrap(recipe, rootfs, log) == 0:
            return
        if attempt == ATTEMPTS or _NOT_FETCHED not in _text(log):
            hint = "The whole output is in that file"
            raise LabError(f"mmdebstrap failed: {_reason(log)}", where=str(log), hint=hint)
        shutil.rmtree(rootfs, ignore_errors=True)
        time.sleep(PAUSE_S)


def _bootstrap(recipe: Recipe, rootfs: Path, log: Path) -> int:
    """The exit code of mmdebstrap."""
    with (
        TemporaryDirectory(dir=rootfs.parent) as temporary,
        log.open("wb") as output,
        subprocess.Popen(
            _arguments(recipe.definition, recipe.sources, rootfs),
            env=ENVIRONMENT | {"TMPDIR": temporary},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        return _wait(process, log)


def _arguments(definition: ImageDefinition, sources: Sequence[Archive], rootfs: Path) -> list[str]:
    return [
        *CONTAINED,
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        f"--variant={definition.variant}",
        f"--include={','.join(definition.all_packages)}",
        *(f"--aptopt={option}" for option in trust_options()),
        definition.suite,
        str(rootfs),
        *(source.line(suite) for source in sources for suite in source.suites),
    ]


def _wait(process: subprocess.Popen[bytes], log: Path) -> int:
    try:
        return process.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"mmdebstrap took longer than {TIMEOUT_S // 60} minutes", where=str(log)) from error
    finally:
        process.kill()


def _reason(log: Path) -> str:
    lines = _text(log).splitlines()
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return (errors or lines[-1:] or ["no output"])[0][:400]


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
