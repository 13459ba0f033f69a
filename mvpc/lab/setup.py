"""What a new laptop is given before its first boot: its name, the administrator's key, the lab's mirror."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvpc.errors import InputError, LabError
from mvpc.lab.laptop import Laptop
from mvpc.lab.mirror import Mirror, names_of

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_PUBLIC_KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-\S+|sk-\S+|ssh-rsa) [A-Za-z0-9+/=]+( [^\n]*)?\n?")

_NETWORK_MANAGER = """\
# The lab gives this interface its address from outside. A laptop must stay reachable whatever a profile does.
[keyfile]
unmanaged-devices=interface-name:host0
"""

_APT = """\
// The lab's mirror is as old as the controller's. The signature is still checked.
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Languages "none";
// What another laptop is just fetching comes when the mirror has all of it, at the latest after two minutes.
Acquire::http::Timeout "180";
"""


@dataclass(frozen=True, slots=True)
class AdminKey:
    """Who may log in to a laptop, and with which public key."""

    account: str
    public_key: str

    def __post_init__(self) -> None:
        if not _PUBLIC_KEY.fullmatch(self.public_key):
            raise InputError("the administrator's key is no public SSH key", hint="Give the content of the .pub file")


@dataclass(frozen=True, slots=True)
class ImageSource:
    """One apt source that the image was built from."""

    uri: str
    suites: tuple[str, ...]
    component: str


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """What the lab must know of an image."""

    path: Path
    build: str
    """Different for each build, also of an unchanged definition."""
    sources: tuple[ImageSource, ...]

    @property
    def archives(self) -> dict[str, str]:
        """Name of each archive on the lab's mirror -> its URI."""
        return names_of(source.uri for source in self.sources)


def read_image(path: Path) -> BuiltImage:
    """The image in the folder `path`; raises LabError when there is none."""
    try:
        record: dict[str, Any] = json.loads((path / "image.json").read_text(encoding="utf-8"))
        if not (path / "rootfs").is_dir():
            raise FileNotFoundError(path / "rootfs")
        sources = tuple(
            ImageSource(each["uri"], tuple(each["suites"]), each["component"]) for each in record["sources"]
        )
        return BuiltImage(path.resolve(), f"{record['digest']}@{record['built']}", sources)
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = f"Build it: mvpc image build {path.name}"
        raise LabError("there is no built image", where=str(path), hint=hint) from error


def apt_sources(image: BuiltImage, mirror: Mirror) -> str:
    """The image's apt sources, taken through the lab's mirror (deb822, sources.list(5))."""
    names = {uri: name for name, uri in image.archives.items()}
    return "\n".join(
        f"Types: deb\nURIs: {mirror.url(names[source.uri])}\nSuites: {' '.join(source.suites)}\n"
        f"Components: {source.component}\nSigned-By: {KEYRING}\n"
        for source in image.sources
    )


def check_image(laptop: Laptop, built: BuiltImage) -> None:
    """Raise LabError when the laptop was made from another build than this one."""
    if laptop.image == str(built.path) and laptop.build == built.build:
        return
    hint = f"Make the laptop anew: mvpc lab down {laptop.hostname}"
    raise LabError(f"{laptop.hostname} was made from another image than {built.path.name} is now", hint=hint)


def prepare(root: Path, laptop: Laptop, *, sources: str, key: AdminKey) -> None:
    """Write a new laptop's own files into its mounted file system.

    Raises:
        LabError: the image has no account of the administrator's name.
    """
    hostname = laptop.hostname
    hosts = f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 {hostname}\n"
    written = {
        "etc/hostname": f"{hostname}\n",
        "etc/hosts": hosts,
        "etc/apt/sources.list.d/debian.sources": sources,
        "etc/apt/apt.conf.d/05lab": _APT,
        "etc/NetworkManager/conf.d/05-lab.conf": _NETWORK_MANAGER,
    }
    if laptop.serial:
        written["etc/mvpc/serial"] = f"{laptop.serial}\n"
    for name, content in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    _authorize(root, key)


def _authorize(root: Path, key: AdminKey) -> None:
    user, group, home = _account(root, key.account)
    folder = root / home.lstrip("/") / ".ssh"
    keys = folder / "authorized_keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    keys.write_text(key.public_key.strip() + "\n", encoding="utf-8")
    keys.chmod(0o600)
    for path in (folder, keys):
        os.chown(path, user, group)


def _account(root: Path, name: str) -> tuple[int, int, str]:
    passwd: Sequence[str] = (root / "etc/passwd").read_text(encoding="utf-8").splitlines()
    for line in passwd:
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2]), int(fields[3]), fields[5]
    raise LabError(f"the image has no account {name}", where=str(root), hint="Add it to accounts in image.yml")
