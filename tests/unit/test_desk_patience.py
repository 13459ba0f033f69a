"""The desk waits for nobody who says nothing, since whoever reaches it may come without end."""

from __future__ import annotations

import signal
import subprocess
import sys

WAITING = "from mvpc.cli import desk; desk.PATIENCE_S = {}; print(desk._question())"


def waiting(said: bytes, *, seconds: int = 1) -> subprocess.CompletedProcess[bytes]:
    """A desk that waits so long, while somebody who said this stays on the line."""
    argv, pipe = [sys.executable, "-c", WAITING.format(seconds)], subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(said)
        process.stdin.flush()
        code = process.wait(timeout=120)
        return subprocess.CompletedProcess(process.args, code, process.stdout.read())


def test_somebody_who_says_nothing_is_sent_away():
    assert waiting(b"").returncode == -signal.SIGALRM
    assert waiting(b"half a line").returncode == -signal.SIGALRM


def test_a_whole_line_is_heard():
    heard = waiting(b"a line\n", seconds=60)
    assert (heard.returncode, heard.stdout) == (0, b"a line\n\n")
