"""What a signal does to a command, seen from outside: signals belong to a whole process, so each test has its own."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

LISTENING = """
import time
from mvpc.cli import signals
signals.listen()
"""
AT_ONCE = (
    LISTENING
    + """
print("ready", flush=True)
time.sleep(30)
"""
)
PATIENT = (
    LISTENING
    + """
with signals.patience():
    print("ready", flush=True)
    deadline = time.monotonic() + 30
    while not signals.reason() and time.monotonic() < deadline:
        time.sleep(0.01)
    print("finishing", flush=True)
    time.sleep(MORE)
print(signals.reason(), flush=True)
raise SystemExit(signals.exit_code())
"""
)
READ_BY_NOBODY = (
    LISTENING
    + """
while not signals.reason():
    with signals.despite_lost_output():
        print("ready", flush=True)
raise SystemExit(signals.exit_code())
"""
)


@pytest.fixture(autouse=True)
def nothing_is_ignored() -> Iterator[None]:
    """A signal that this process ignores, its children would ignore as well."""
    numbers = (signal.SIGINT, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@contextmanager
def begun(program: str, *before: str) -> Iterator[subprocess.Popen[str]]:
    """The program, under `before`, when it has said that it is ready; it is gone afterwards."""
    pipe = subprocess.PIPE
    command = [*before, sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def wait_until_it_has_heard(process: subprocess.Popen[str]) -> None:
    """A signal that comes while the same one is still to be heard is lost (signal(7))."""
    assert process.stderr
    assert process.stderr.readline() == "\n"
    assert "nothing new begins" in process.stderr.readline()


def wait_until_it_reads(process: subprocess.Popen[str]) -> None:
    """Write half a line, and wait until the process has taken it from the pipe and so waits for the rest."""
    assert process.stdin
    process.stdin.write("half a line")
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while any(fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4))):  # bytes that nobody has read yet
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "name"), [(2, "SIGINT"), (15, "SIGTERM"), (1, "SIGHUP")])
def test_work_that_is_patient_comes_to_its_end_and_knows_why(number: int, name: str):
    with begun(PATIENT.replace("MORE", "0")) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (128 + number, f"finishing\ninterrupted by {name}\n")
        assert f"mvpc: {name}: laptops that are being worked on finish, nothing new begins" in err


def test_the_same_signal_twice_within_a_blink_is_one():
    with begun("from mvpc.cli import signals; signals._TWICE = 600" + PATIENT.replace("MORE", "1")) as process:
        process.send_signal(signal.SIGTERM)
        wait_until_it_has_heard(process)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[0] == "finishing\ninterrupted by SIGTERM\n"


def test_a_second_signal_ends_patient_work_at_once_but_a_closing_terminal_does_not():
    with begun("from mvpc.cli import signals; signals._TWICE = 0" + PATIENT.replace("MORE", "30")) as process:
        process.send_signal(signal.SIGINT)
        wait_until_it_has_heard(process)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
        process.send_signal(signal.SIGINT)
        assert "Interrupted" in process.communicate(timeout=60)[1]


def test_work_that_is_not_patient_ends_at_once():
    with begun(AT_ONCE) as process:
        process.send_signal(signal.SIGTERM)
        assert "Interrupted: interrupted by SIGTERM" in process.communicate(timeout=60)[1]


def test_a_signal_that_is_ignored_stays_ignored_as_under_nohup():
    with begun(AT_ONCE, "sh", "-c", 'trap "" HUP; exec "$@"', "sh") as process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)


def test_output_that_nobody_reads_stops_patient_work_in_good_order():
    with begun(READ_BY_NOBODY) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(timeout=60) == 128 + signal.SIGPIPE
        assert process.stderr
        assert process.stderr.read() == ""


def test_a_closed_terminal_stops_patient_work_in_good_order_and_costs_no_error(tmp_path):
    report = tmp_path / "report"
    program = PATIENT.replace("MORE", "0").replace("raise", f"open({str(report)!r}, 'w').write('orderly')\nraise")
    terminal, inside = pty.openpty()
    command = [
        "setsid",
        "--ctty",
        sys.executable,
        "-c",
        program,
    ]  # not pty.fork(): Python warns where there are threads
    with subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside) as process:
        os.close(inside)
        ready = os.read(terminal, 100)
        os.close(terminal)
    assert (ready[:5], process.returncode) == (b"ready", 128 + signal.SIGHUP)
    assert report.read_text() == "orderly"


def test_the_command_line_ends_with_the_exit_code_of_the_signal_and_one_sentence(tmp_path):
    (tmp_path / "mvpc.toml").touch()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-m", "mvpc", "secret", "set", "wifi/x"], cwd=tmp_path, stdin=pipe, stderr=pipe, text=True
    ) as process:
        wait_until_it_reads(process)
        process.send_signal(signal.SIGTERM)
        assert process.stderr
        assert process.stderr.read() == "mvpc: interrupted by SIGTERM\n"
    assert process.returncode == 143
