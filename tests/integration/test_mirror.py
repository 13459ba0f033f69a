"""The lab's mirror with the real nginx, in front of archives that are slow or fail."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path

import pytest

from mvpc.lab.cleanup import undo
from mvpc.lab.journal import Journal
from mvpc.lab.mirror import Mirror, ensure
from tests.serving import serving

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nginx") is None, reason="needs root, and the Debian package nginx-light"
)

PACKAGE = b"a package"


class Archive:
    """Hands out one package, slowly; counts who asked for it."""

    def __init__(self) -> None:
        self.asked = 0
        self.again = threading.Event()

    def handler(self, *given: object) -> BaseHTTPRequestHandler:
        archive = self

        class Slow(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                archive.asked += 1
                if archive.asked > 1:
                    archive.again.set()
                self.send_response(200)
                self.send_header("Content-Length", str(len(PACKAGE)))
                self.end_headers()
                archive.again.wait(8)  # nginx by itself asks a second time after 5 seconds
                self.wfile.write(PACKAGE)

            def log_message(self, *_: object) -> None:
                pass

        return Slow(*given)  # type: ignore[arg-type]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where nginx may work: its account cannot look into pytest's own folders."""
    with tempfile.TemporaryDirectory(prefix="mvpc-mirror-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def mirrored(folder: Path, archive: str) -> Iterator[str]:
    """The mirror of an archive, on a loopback address that no other test has; where it is."""
    number = os.getpid()
    mirror = Mirror(
        folder=folder / "mirror", cache=folder / "cache", address=f"127.1.{number >> 8 & 255}.{number & 255}"
    )
    journal = Journal(folder / "journal")
    try:
        ensure(mirror, {"debian": archive}, journal)
        yield mirror.url("debian")
    finally:
        undo(journal, journal.entries())


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


class Unsteady(BaseHTTPRequestHandler):
    """Breaks off at the first question, has an error at the second, and says at the third what it was asked."""

    questions = count(1)

    def do_GET(self) -> None:
        number = next(self.questions)
        if number == 1:
            return
        self.send_response(503 if number == 2 else 200)
        self.end_headers()
        self.wfile.write(f"http://{self.headers['Host']}{self.path}".encode())

    def log_message(self, *_: object) -> None:
        pass


def test_an_archive_that_breaks_off_or_fails_for_a_moment_is_asked_again(folder: Path):
    with serving(Unsteady, "127.0.0.1") as url, mirrored(folder, f"{url}/debian") as mirror:
        assert fetch(f"{mirror}/pool/x.deb").decode() == f"{url}/debian/pool/x.deb"


def test_a_package_that_takes_long_is_fetched_once_for_all_who_want_it(folder: Path):
    archive = Archive()
    with serving(archive.handler, "127.0.0.1") as url, mirrored(folder, url) as mirror, ThreadPoolExecutor() as laptops:
        fetched = list(laptops.map(fetch, [f"{mirror}/pool/slow.deb"] * 3))
    assert fetched == [PACKAGE] * 3
    assert archive.asked == 1
