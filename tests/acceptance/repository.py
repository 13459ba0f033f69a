"""A small signed package source of one's own, with as many versions of a package as a test likes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

from tests.serving import serving

PACKAGE, COMPANION = "mvpc-hello", "mvpc-hello-data"
"""A program that prints its version, and data of the same source that it needs in exactly the same version."""


@dataclass(frozen=True)
class Signer:
    """An OpenPGP key in a folder of its own, as GnuPG keeps it."""

    home: Path

    @property
    def public(self) -> str:
        """The public key as text."""
        return self._gpg("--armor", "--export")

    def clearsign(self, path: Path, signed: Path) -> None:
        """Sign a text."""
        self._gpg("--yes", "--clearsign", "--output", str(signed), str(path))

    def _gpg(self, *arguments: str) -> str:
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--pinentry-mode=loopback", "--passphrase=", *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def a_signer(home: Path) -> Iterator[Signer]:
    """A new key; the agent that GnuPG starts for it ends with the context."""
    home.mkdir(mode=0o700)
    signer = Signer(home)
    try:
        signer._gpg("--quick-generate-key", "archive@mv.example", "ed25519", "sign", "1d")
        yield signer
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Repository:
    """A flat source (sources.list(5)): every package beside its index."""

    folder: Path

    def offer(self, versions: Sequence[str], signer: Signer | None) -> None:
        """Have exactly these versions of both packages, signed, or not signed at all."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        entries = [self._build(name, version) for version in versions for name in (PACKAGE, COMPANION)]
        index = "\n".join(entries).encode()
        (self.folder / "Packages").write_bytes(index)
        release = (
            f"Origin: lab\nLabel: lab\nSuite: lab\nDate: {_now()}\nSHA256:\n {_sum(index)} {len(index)} Packages\n"
        )
        (self.folder / "Release").write_text(release)
        if signer:
            signer.clearsign(self.folder / "Release", self.folder / "InRelease")

    def _build(self, name: str, version: str) -> str:
        """Build one package, and return its entry for the index."""
        root = self.folder / "build"
        control = (
            f"Package: {name}\nSource: {PACKAGE}\nVersion: {version}\nArchitecture: all\n"
            f"Maintainer: The lab <lab@mv.example>\nDescription: A package for tests\n"
        )
        if name == PACKAGE:
            control += f"Depends: {COMPANION} (= {version})\n"
            program = root / "usr/bin" / name
            program.parent.mkdir(parents=True)
            program.write_text(f"#!/bin/sh\necho {name} {version}\n")
            program.chmod(0o755)
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(control)
        file = self.folder / f"{name}_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, file], check=True, capture_output=True)
        shutil.rmtree(root)
        data = file.read_bytes()
        return f"{control}Filename: ./{file.name}\nSize: {len(data)}\nSHA256: {_sum(data)}\n"


def served(folder: Path, address: str, port: int) -> AbstractContextManager[str]:
    """The folder over HTTP, on an address of this machine."""
    return serving(partial(_Quiet, directory=str(folder)), address, port)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _now() -> str:
    return subprocess.run(["date", "-u", "-R"], check=True, capture_output=True, text=True).stdout.strip()
