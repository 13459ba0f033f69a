"""The project folder: where profiles, inventory and images lie, and where mvpc keeps its state."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mvpc.chances import Chances, read_chances
from mvpc.editions import editions
from mvpc.errors import InputError, Problem
from mvpc.model import Ring, TpmRule
from mvpc.ringconfig import read_rings
from mvpc.rings import DEFAULT_RINGS
from mvpc.schedule import Limits, default_problems

MARKER = "mvpc.toml"

KEYS: Mapping[str, Mapping[str, type]] = {
    "ssh": {"user": str, "port": int, "key": str},
    "state": {"folder": str},
    "organisation": {"operator": str},
    "identity": dict.fromkeys(("crypto", "tpm", "passphrase_file", "publish", "publish_hook", "crl_url"), str),
    "lab": {"home": str, "bridge": str, "addresses": str},
    "rollout": {
        "approve_above": int,
        "component_seconds": int,
        "sample_percent": float,
        "ring": list,
        **dict.fromkeys(("not_before", "not_after", "window", "catch_up", "timezone"), str),
    },
}
"""Section -> key -> type. What they mean is said in mvpc.toml, and from there in docs/reference/project-keys.md."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """One project folder with its settings. All paths are absolute."""

    root: Path
    state: Path
    """Database, secrets, images and runs; mode 0700."""
    ssh_user: str
    ssh_port: int
    ssh_key: Path
    lab_home: Path
    """Outside of the project, so that any checkout can clean up after any other."""
    lab_bridge: str
    lab_addresses: str
    rings: tuple[Ring, ...]
    """Groups of a rollout, in order."""
    approve_above: int
    """A rollout to more devices than this needs a second person's approval; 0 means never."""
    sample_percent: float
    """Share of the unchanged laptops that every rollout walks in full, to catch digests and probes that lie."""
    component_seconds: int
    """How long one component may take on one laptop before it counts as hanging."""
    limits: Limits
    """When a rollout may touch laptops, unless it says otherwise itself."""
    timezone: str
    """The IANA time zone of windows and dates."""
    crypto: str
    """Edition of crypto settings that keys and signatures of certificates follow."""
    tpm: TpmRule
    """Whether the keys that laptops make should be in their TPMs."""
    passphrase_file: Path | None
    """File with the passphrase of the certificate authorities; None: it is asked for."""
    publish: Path
    """Where lists of revoked certificates are written."""
    publish_hook: Path | None
    """Program that brings these lists to those who check them; None: a person does."""
    crl_url: str
    """Where the list of revoked device certificates can be fetched; it stands in each certificate. Empty: nowhere."""
    operator: str
    """Whose laptops are rolled out to, as in inventory/organisation.yml; empty means everybody's."""
    chances: Chances | None
    """How the laptops behave when all of them are simulated; None when they are real."""

    @property
    def database(self) -> Path:
        """The inventory and all results."""
        return self.state / "mvpc.db"

    @property
    def secrets(self) -> Path:
        """One file per secret reference."""
        return self.state / "secrets"

    @property
    def images(self) -> Path:
        """Root file systems that were built."""
        return self.state / "images"

    @property
    def authorities(self) -> Path:
        """The certificate authorities."""
        return self.state / "ca"

    @property
    def host_authority(self) -> str:
        """Public key of the authority of SSH host certificates, one line; empty as long as there is none."""
        path = self.authorities / "ssh-hosts.pub"
        return " ".join(path.read_text(encoding="ascii").split()[:2]) if path.is_file() else ""

    @property
    def trust(self) -> Path:
        """Certificates (PEM) of more authorities that laptops are to know, such as radius-ca.pem."""
        return self.root / "inventory" / "trust"

    @property
    def memory(self) -> Path:
        """What simulated laptops remember."""
        return self.state / "laptops.db"

    def require_real(self) -> None:
        """Raises InputError when the laptops are simulated: nothing may be done that needs real ones."""
        if self.chances:
            raise InputError(
                "all laptops of this folder are simulated",
                where=str(self.root),
                hint="For real ones, change into the folder of your project",
            )

    def make_state(self) -> Path:
        """Create the state folder, readable by its owner alone, and return it."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.state


def find_project(start: Path) -> Project:
    """The project that `start` lies in: the nearest folder upwards that holds `mvpc.toml`.

    Raises:
        InputError: no such folder, or `mvpc.toml` is wrong.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / MARKER).is_file():
            return load_project(folder)
    raise InputError(
        f"no {MARKER} in {start} or above it",
        hint="Change into a project folder, or name one with: mvpc --project FOLDER",
    )


def load_project(root: Path) -> Project:
    """Read `mvpc.toml` of one project folder; raises InputError with every problem in it.

    A simulated fleet keeps its state in its own folder, whatever the copy of `mvpc.toml` there says.
    """
    settings = _read(root / MARKER)
    chances = read_chances(root)
    ssh, lab = settings.get("ssh", {}), settings.get("lab", {})
    rollout, identity = settings.get("rollout", {}), settings.get("identity", {})
    passphrase = identity.get("passphrase_file")
    named = Path(settings.get("state", {}).get("folder", ".mvpc")).expanduser()
    state = root / (named if chances is None else ".mvpc")
    return Project(
        root=root,
        state=state,
        ssh_user=ssh.get("user", "mvpc-admin"),
        ssh_port=ssh.get("port", 22),
        rings=read_rings(rollout["ring"], file=MARKER) if "ring" in rollout else DEFAULT_RINGS,
        approve_above=rollout.get("approve_above", 0),
        sample_percent=rollout.get("sample_percent", 1),
        component_seconds=rollout.get("component_seconds", 1800),
        limits=_limits(rollout),
        timezone=_timezone(rollout),
        crypto=_edition(identity.get("crypto", editions()[0])),
        tpm=_tpm_rule(identity.get("tpm", TpmRule.PREFER)),
        passphrase_file=root / Path(passphrase).expanduser() if passphrase else None,
        publish=root / Path(identity["publish"]).expanduser()
        if "publish" in identity and not chances
        else state / "published",
        publish_hook=root / Path(identity["publish_hook"]).expanduser()
        if "publish_hook" in identity and not chances
        else None,
        crl_url=identity.get("crl_url", ""),
        operator=settings.get("organisation", {}).get("operator", ""),
        chances=chances,
        lab_home=root / Path(lab.get("home", "/var/lib/mvpc-lab")).expanduser(),
        lab_bridge=lab.get("bridge", "mvpc0"),
        lab_addresses=lab.get("addresses", "10.77.0.0/24"),
        ssh_key=root / Path(ssh["key"]).expanduser() if "key" in ssh and not chances else state / "ssh" / "id_ecdsa",
    )


def _limits(rollout: dict[str, Any]) -> Limits:
    """The defaults of a rollout's schedule; raises InputError with every problem."""
    limits = Limits(**{field.name: rollout.get(field.name, "") for field in fields(Limits)})
    if problems := list(default_problems(limits, file=MARKER)):
        raise InputError.of(problems)
    return limits


def _timezone(rollout: dict[str, Any]) -> str:
    """The zone that is named, or this machine's own; raises InputError when it does not exist."""
    name: str = rollout.get("timezone") or _own_timezone()
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "For example: Europe/Berlin. On a machine without time zones, install tzdata"
        raise InputError("rollout.timezone is no time zone known here", where=MARKER, hint=hint) from None
    return name


def _own_timezone() -> str:
    """The zone that /etc/localtime leads to (localtime(5)); UTC where it leads nowhere."""
    _, _, name = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    return name or "UTC"


def _edition(name: str) -> str:
    if name not in editions():
        hint = f"Known: {', '.join(editions())}"
        raise InputError(f"identity.crypto {name!r} is no edition of crypto settings", where=MARKER, hint=hint)
    return name


def _tpm_rule(name: str) -> TpmRule:
    if name not in set(TpmRule):
        raise InputError(f"identity.tpm {name!r} is not known", where=MARKER, hint=f"Known: {', '.join(TpmRule)}")
    return TpmRule(name)


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not valid TOML ({error})", where=MARKER) from error
    problems = [problem for section, values in settings.items() for problem in _check(section, values)]
    if problems:
        raise InputError.of(problems)
    return settings


def _check(section: str, values: Any) -> list[Problem]:
    known = KEYS.get(section)
    if known is None or not isinstance(values, dict):
        return [Problem(MARKER, f"[{section}] is not known", f"Known sections: {', '.join(KEYS)}")]
    problems = []
    for key, value in values.items():
        if key not in known:
            problems.append(Problem(MARKER, f"{section}.{key} is not known", f"Known: {', '.join(known)}"))
        elif type(value) not in _accepted(known[key]):
            problems.append(Problem(MARKER, f"{section}.{key} must be of type {known[key].__name__}"))
        elif key.endswith("_percent") and not 0 <= value <= 100:
            problems.append(Problem(MARKER, f"{section}.{key} must be between 0 and 100"))
    return problems


def _accepted(kind: type) -> set[type]:
    """Whole numbers are numbers as well."""
    return {int, float} if kind is float else {kind}
