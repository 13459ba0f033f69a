"""How the laptop's tools are asked and told."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

SETTLED, MANIFEST, UNDONE = "settled", "manifest.json", "undone.json"
"""Files in the folder of the way back: the change has settled; what is to be restored; what was taken back."""

ABSENT, ENDLESS = 127, 124
"""Exit codes of a command that does not exist, and of one that did not end in time, as with sh(1) and timeout(1)."""


def run(argv: Sequence[str], *, stdin: str = "", seconds: float = 60) -> tuple[int, str]:
    """Exit code and output of a command, errors after the rest; `ABSENT` or `ENDLESS` when it is none."""
    try:
        ran = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
    except OSError as error:
        return ABSENT, str(error.strerror)
    except subprocess.TimeoutExpired:
        return ENDLESS, f"{argv[0]} did not end within {seconds:.0f} s"
    return ran.returncode, ran.stdout + ran.stderr
