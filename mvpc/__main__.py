"""`mvpc` and `python -m mvpc`."""

from __future__ import annotations

import gc
import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line and exit with its code."""
    _look_seldom_for_cycles()
    # Here and not above: imports take a moment, in which a signal may come already.
    from mvpc.cli import signals  # noqa: PLC0415 - as above

    try:
        signals.listen()
        _write_what_can_be_written()
        from mvpc.cli.app import app  # noqa: PLC0415 - signals are listened to now

        app()
    except signals.Interrupted as error:
        raise SystemExit(error.exit_code) from None


def _look_seldom_for_cycles() -> None:
    """Values are frozen and hold no cycles; with a large fleet, looking for some took a fifth of the time."""
    gc.set_threshold(100_000)


def _write_what_can_be_written() -> None:
    """A character that the locale lacks becomes a question mark: no reason to stop in the middle of something."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
