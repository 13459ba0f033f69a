"""What an image is made of: the strict schema of `images/<name>/image.yml`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mvpc.errors import InputError, NotFoundError, Problem
from mvpc.model import TpmRule
from mvpc.yamlfile import MappingNode, Node, SequenceNode, load, to_plain

FILE = "image.yml"

OS_OF_SUITE = {"bookworm": "debian-12", "trixie": "debian-13"}
"""Debian suites that can be built, and what the inventory calls them."""

NEEDED = frozenset({"systemd-sysv", "openssh-server", "python3", "sudo"})
"""Without these packages mvpc could not log in to the laptop or configure it."""

ENROLMENT = ("openssl", "qrencode", "tpm2-openssl", "tpm2-tools")
"""What a laptop makes its key with, in its TPM where it has one, and shows the key's fingerprint as a QR code. Every
image has them: a laptop that lacks them is enrolled all the same, with its key in a file."""

DESKTOPS: dict[str, tuple[str, ...]] = {
    "none": (),
    "gnome": (
        *("gdm3", "gnome-session", "gnome-shell", "gnome-control-center", "gnome-keyring", "libpam-gnome-keyring"),
        *("nautilus", "gvfs-backends", "gvfs-fuse", "gnome-terminal", "gnome-text-editor", "gnome-backgrounds"),
        *("pipewire-audio", "network-manager-gnome", "xdg-user-dirs", "fonts-cantarell", "fonts-dejavu-core"),
    ),
    "kde": (
        *("sddm", "sddm-theme-debian-breeze", "plasma-desktop", "plasma-workspace", "kwin-wayland", "systemsettings"),
        *("dolphin", "kio-extras", "konsole", "kate", "plasma-nm", "plasma-pa", "powerdevil", "kscreen", "bluedevil"),
        *("pipewire-audio", "xdg-desktop-portal-kde", "xdg-user-dirs", "fonts-dejavu-core"),
    ),
}
"""Desktop -> log-in screen, session, settings, files, terminal, editor, sound and network. Debian's own tasks
(gnome-core, kde-plasma-desktop) bring viewers and mail programs as well: those are chosen in profiles."""


def _without_slash(url: str) -> str:
    return url.rstrip("/")


_NAME = r"^[a-z][a-z0-9-]{0,30}$"
_PACKAGE = r"^[a-z0-9][a-z0-9+.-]+$"
_LOCALE = r"^(C|[a-z]{2,3}_[A-Z]{2})\.UTF-8$"
_ADDRESS = r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,250}$"
_HOST_KEY = r"^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]+={0,2}$"
_URL = r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9_./~+-]*)?$"

_MEANING = {
    _NAME: "a name has lower-case letters, digits and hyphens, a letter first, at most 31",
    _PACKAGE: "this is no name of a Debian package",
    _LOCALE: "a locale is C.UTF-8 or has the form de_DE.UTF-8",
    _ADDRESS: "this is no hostname and no IP address",
    _HOST_KEY: "a host key is its kind and its base64 text, as in ssh_host_ecdsa_key.pub without the comment",
    _URL: "this is no single http or https address",
}
"""What a pattern asks for, in words. Package names follow Debian Policy 5.6.7."""

Name = Annotated[str, StringConstraints(pattern=_NAME)]
PackageName = Annotated[str, StringConstraints(pattern=_PACKAGE)]
LocaleName = Annotated[str, StringConstraints(pattern=_LOCALE)]
Url = Annotated[str, StringConstraints(pattern=_URL), AfterValidator(_without_slash)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Account(_Strict):
    """A login of the image: no password, key only, the key comes when the laptop is handed out."""

    sudo: Literal["nopasswd", "none"] = "none"


class Desk(_Strict):
    """Where laptops from this image ask to be enrolled at their first boot, by SSH, and how they know it."""

    address: Annotated[str, StringConstraints(pattern=_ADDRESS)]
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    account: Name = "mvpc-enrol"
    host_key: Annotated[str, StringConstraints(pattern=_HOST_KEY)]
    curve: Literal["P-256", "P-384"] = "P-384"
    """Of the keys that laptops make; the edition of crypto settings must accept it."""
    tpm: TpmRule = TpmRule.PREFER
    """Whether these should be in a TPM; mvpc.toml must accept it."""


class ImageDefinition(_Strict):
    """One `image.yml`. `name` is the name of its folder."""

    name: Name
    suite: Literal["bookworm", "trixie"]
    variant: Literal["minbase", "standard"] = "minbase"
    locale: LocaleName = "C.UTF-8"
    mirror: Url | None = None
    """Debian archive; null is the one that the controller's own apt uses."""
    security_mirror: Url | None = None
    desktop: Literal["none", "gnome", "kde"] = "none"
    """What people see: its packages come in addition to those that are listed."""
    packages: tuple[PackageName, ...] = Field(min_length=1)
    accounts: dict[Name, Account] = Field(min_length=1)
    desk: Desk | None = None
    """null: laptops do nothing about their enrolment; it is begun at the controller."""

    @property
    def os(self) -> str:
        """What the inventory calls this operating system: `debian-13`."""
        return OS_OF_SUITE[self.suite]

    @property
    def all_packages(self) -> tuple[str, ...]:
        """Those of the list, of the enrolment and of the desktop, each once."""
        return tuple(dict.fromkeys((*self.packages, *ENROLMENT, *DESKTOPS[self.desktop])))


def load_definition(folder: Path) -> ImageDefinition:
    """Read and check `image.yml` of an image folder.

    Raises:
        NotFoundError: there is no such image.
        InputError: with file and line of every problem.
    """
    path = folder / FILE
    if not path.is_file():
        found = ", ".join(sorted(each.parent.name for each in folder.parent.glob(f"*/{FILE}"))) or "none"
        raise NotFoundError(f"no image named {folder.name}", where=str(path), hint=f"Images here: {found}")
    node = load(path, root=folder.parent.parent)
    try:
        definition = ImageDefinition.model_validate({**_mapping(node), "name": folder.name})
    except ValidationError as error:
        raise InputError.of(_problems(error, node)) from None
    problems = tuple(_missing_packages(definition, node))
    if problems:
        raise InputError.of(problems)
    return definition


def _mapping(node: Node) -> dict[str, Any]:
    if not isinstance(node, MappingNode):
        raise InputError("a map of settings is expected", where=str(node.source))
    plain: dict[str, Any] = to_plain(node)
    if "name" in plain:
        where = str(node.entries["name"].source)
        raise InputError("name is not known", where=where, hint="The folder gives the image its name")
    return plain


def _problems(error: ValidationError, node: Node) -> Iterator[Problem]:
    # Never the rejected value: a password may stand under a misspelt key.
    for found in error.errors(include_input=False, include_url=False):
        path = [part for part in found["loc"] if part != "[key]"]
        name = ".".join(map(str, path))
        if found["type"] == "extra_forbidden":
            yield Problem(_place(node, path), f"{name} is not known")
        else:
            words = _MEANING.get(found.get("ctx", {}).get("pattern", ""), found["msg"])
            yield Problem(_place(node, path), f"{name}: {words[:1].lower()}{words[1:]}")


def _place(node: Node, path: list[int | str]) -> str:
    """The line of the deepest part of the path that exists."""
    for part in path:
        if isinstance(node, MappingNode) and str(part) in node.entries:
            node = node.entries[str(part)]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
    return str(node.source)


def _missing_packages(definition: ImageDefinition, node: Node) -> Iterator[Problem]:
    where = _place(node, ["packages"])
    for name in sorted(NEEDED - set(definition.packages)):
        yield Problem(where, f"packages lacks {name}, without which mvpc cannot manage the laptop", f"Add {name}")
    if not definition.locale.startswith("C.") and "locales" not in definition.packages:
        yield Problem(_place(node, ["locale"]), f"locale {definition.locale} needs the package locales", "Add it")
