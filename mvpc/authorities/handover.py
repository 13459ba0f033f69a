"""The site's own program that brings lists of revoked certificates to those who check them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mvpc.errors import MvpcError

SECONDS = 300
"""Longer than a lost laptop may still be let in."""
_HINT = "What is revoked stands in the lists. Mend it, then run: mvpc ca publish"


def hand_over(hook: Path, project: Path, published: Path, of: str) -> None:
    """Run the hook in the project folder; what it prints goes to standard error.

    It finds the folder of the lists in MVPC_PUBLISHED, and in MVPC_REVOKED the hostname of the laptop that was revoked,
    which is empty for a daily renewal.

    Raises:
        MvpcError: it cannot be started, fails, or takes longer than five minutes.
    """
    environment = os.environ | {"MVPC_PUBLISHED": str(published), "MVPC_REVOKED": of}
    sys.stderr.flush()
    try:
        done = subprocess.run(
            [str(hook)],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2,
            timeout=SECONDS,
            check=False,
        )
    except OSError as error:
        what = f"the publish_hook cannot be started ({error.strerror})"
        raise MvpcError(what, where=str(hook), hint=_HINT) from error
    except subprocess.TimeoutExpired as error:
        what = f"the publish_hook did not end within {SECONDS} s"
        raise MvpcError(what, where=str(hook), hint=_HINT) from error
    if done.returncode:
        raise MvpcError(f"the publish_hook failed (exit code {done.returncode})", where=str(hook), hint=_HINT)
