"""What runs on a laptop: compare it with what it should be and, when told to, make it so.

    probe   walk what the ledger remembers and touch nothing: drift and facts
    check   walk the given components and touch nothing: what an apply would do
    apply   the same walk, and every step is taken

One file, standard library only, Python >= 3.9. It is sent over stdin to `python3 -I -` as root;
`mvpc.device.program` appends the request, and the last line of stdout is the answer, one JSON object.

A walk goes through `PHASES`. Each phase looks at the laptop and yields the steps that are missing.
Only an apply takes them, and then the phase must find nothing more to do. Before the first step the
ledger says "unfinished" and names the notifications that must follow; it says "done" last. So a run
that dies anywhere is finished by the next one, and no service that needs a reload is forgotten.

Sections: words, the laptop, resources, ledger, what is, files and keys, packages, connections,
units, notifications, the walk, facts, request and answer.
"""

from __future__ import annotations

import fcntl
import grp
import hashlib
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

FORMAT = 1
LEDGER = "/var/lib/mvpc/ledger.json"
LOCK = "/var/lib/mvpc/lock"
KEYS = "/etc/mvpc/keys"
CONNECTIONS = "/etc/NetworkManager/system-connections"

MAX_ANSWER = 1 << 20  # bytes; the controller refuses more
MAX_CHANGES = 200
MAX_WORDS = 400  # characters of one change or error
MAX_DIFF = 20_000  # characters of one component


# --- words -----------------------------------------------------------------------------------


class Refused(Exception):  # noqa: N818 - it reads as what happened
    """The request cannot be carried out at all; nothing was touched."""


class Failure(Exception):  # noqa: N818 - the same
    """A component cannot be finished."""


@dataclass(frozen=True)
class Step:
    """One difference, and the way to mend it. Only an apply calls `act`."""

    found: str
    """The difference, as a probe tells it: `file /etc/x differs (mode)`."""
    done: str
    """What mends it, as check and apply tell it: `file /etc/x updated (mode)`."""
    act: Callable[[], object]
    notify: tuple[str, ...] = ()
    takes: str = ""
    """Identity of a resource that is there because of mvpc from now on."""
    diff: str = ""


def gist(text: str) -> str:
    """The first useful lines of what a command said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("E:", "dpkg: error", "Error"))]
    return "; ".join(telling or lines)[:MAX_WORDS]


# --- the laptop ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str = ""
    err: str = ""


NOT_FOUND, TIMED_OUT = 127, 124  # exit codes, as shell and timeout(1) give them


class Machine:
    """The laptop itself: its files, commands, owners and host name. Tests put another one in its place."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Where the absolute path `name` really is."""
        return self.root / name.lstrip("/")

    def run(self, argv: Sequence[str], *, timeout: float = 60, stdin: str = "") -> Ran:
        """Run a command. When its time (seconds) is up, it ends with all that it has started."""
        pipe = subprocess.PIPE
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C",
            "DEBIAN_FRONTEND": "noninteractive",
            "APT_LISTCHANGES_FRONTEND": "none",
        }
        try:
            child = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
            )
        except OSError as error:
            return Ran(NOT_FOUND, err=f"{argv[0]}: {error.strerror}")
        try:
            out, err = child.communicate(stdin.encode(), timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return Ran(TIMED_OUT, err=f"{argv[0]} did not end within {timeout:.0f} s")
        return Ran(child.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def owner_ids(self, owner: str, group: str) -> tuple[int, int]:
        """User and group number; raises KeyError while one does not exist."""
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid

    def chown(self, descriptor: int, uid: int, gid: int) -> None:
        """Give an open file its owner."""
        os.fchown(descriptor, uid, gid)

    def hostname(self) -> str:
        """The name that the kernel has."""
        return socket.gethostname()

    def set_hostname(self, name: str) -> None:
        """Give the kernel the name; /etc/hostname is a file like any other."""
        socket.sethostname(name)


def run_well(machine: Machine, *argv: str, timeout: float = 60, stdin: str = "") -> str:
    """Output of a command that must succeed, else Failure with what it said."""
    ran = machine.run(argv, timeout=timeout, stdin=stdin)
    if ran.code != 0:
        raise Failure(f"{' '.join(argv[:2])}: {gist(ran.err) or gist(ran.out) or f'exit code {ran.code}'}")
    return ran.out


def read_text(path: Path) -> str:
    """The stripped text of a small file; empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def look(path: Path) -> os.stat_result | None:
    """What is at a path, links not followed; None when nothing is."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` for what shall take its place in one step; folders are made when missing.

    Hidden, so that no daemon takes it for one of its drop-ins, and always the same, so that the
    leftover of a crash goes with the next try.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(".mvpc-" + path.name)
    fresh.unlink(missing_ok=True)
    try:
        yield fresh
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write(fresh: Path, data: bytes, *, mode: int, own: Callable[[int], None]) -> None:
    """Make a new file with its mode and owner; it is on the disk afterwards."""
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        own(descriptor)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def write_private(machine: Machine, path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace a file of root's in a folder that only root may enter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    uid, gid = machine.owner_ids("root", "root")
    with replacing(path) as fresh:
        write(fresh, data, mode=mode, own=lambda descriptor: machine.chown(descriptor, uid, gid))


def delete(path: Path) -> None:
    """Remove a file or link for good."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- resources: the fields of mvpc.model, and what the ledger adds ---------------------------


@dataclass(frozen=True)
class File:
    """A file or, with `target`, a symbolic link."""

    path: str
    content: str = ""
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    target: str = ""
    present: bool = True
    validate: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    device_keys: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    """Ledger only: of the content as written, with the laptop's keys in it."""

    @property
    def identity(self) -> str:
        """What only one component may have: the place in the file system."""
        return self.path

    @property
    def label(self) -> str:
        """What to call it in words."""
        place = Path(self.path)
        return f"connection {place.stem}" if place.parent == Path(CONNECTIONS) else f"file {self.path}"

    @property
    def secret(self) -> bool:
        """Whether its content must never be shown."""
        return not int(self.mode, 8) & stat.S_IROTH or bool(self.device_keys)


@dataclass(frozen=True)
class Connection:
    """A NetworkManager keyfile (nm-settings-keyfile(5)): to the walk a private file with a name of its own."""

    id: str
    uuid: str
    content: str = ""
    device_keys: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    """Ledger only: of the content as written, with the laptop's keys in it."""

    @property
    def identity(self) -> str:
        """Its place in the file system."""
        return f"{CONNECTIONS}/{self.id}.nmconnection"

    def file(self) -> File:
        """The keyfile. NetworkManager ignores those that others may read."""
        return File(
            path=self.identity,
            content=self.content,
            mode="0600",
            notify=("connections",),
            device_keys=self.device_keys,
            sha256=self.sha256,
        )


@dataclass(frozen=True)
class Package:
    """A Debian package; `version` empty means any version that is installed."""

    name: str
    present: bool = True
    version: str = ""
    ours: bool = False
    """Ledger only: mvpc installed it, so mvpc removes it when nothing wants it any more."""

    @property
    def identity(self) -> str:
        """Packages, units and files are worlds of their own."""
        return f"package {self.name}"


@dataclass(frozen=True)
class Unit:
    """A systemd unit. `masked` wins over the others."""

    name: str
    enabled: bool = True
    running: bool = True
    masked: bool = False
    ours: bool = False
    """Ledger only: mvpc enabled or masked it, so mvpc takes that back when nothing wants it any more."""

    @property
    def identity(self) -> str:
        """Packages, units and files are worlds of their own."""
        return f"unit {self.name}"


@dataclass(frozen=True)
class Component:
    """A named part of the laptop's configuration."""

    name: str
    digest: str
    resources: tuple[Any, ...]


Kind = TypeVar("Kind", File, Connection, Package, Unit)
KINDS: Mapping[str, type[Any]] = {"file": File, "connection": Connection, "package": Package, "unit": Unit}
LEDGER_ONLY = frozenset({"sha256", "ours"})

UNIT_NAME = r"[A-Za-z0-9][A-Za-z0-9_:.@\\-]*\.(?:service|socket|timer|target|path|mount|automount|swap|slice)"
SHAPES: Mapping[str, str] = {
    "path": r"(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f\ud800-\udfff]+)+",
    "mode": r"0[0-7]{3}",
    "owner": r"[a-z_][a-z0-9_-]*",
    "group": r"[a-z_][a-z0-9_-]*",
    "target": r"[^\x00-\x1f\x7f\ud800-\udfff]*",
    "package": r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?",
    "version": r"[A-Za-z0-9.+:~-]*",
    "unit": UNIT_NAME,
    "notify": rf"daemon-reload|hostname|connections|(?:reload|restart) {UNIT_NAME}",
    "id": r"\w[\w .@-]{0,99}",
    "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "device_keys": r"wireguard",
    "sha256": r"(?:[0-9a-f]{64})?",
    "component": r"[a-z][a-z0-9_-]*",
    "digest": r"[A-Za-z0-9_-]{1,128}",
}
"""How the whole text in a field must look."""
FREE_TEXT = r"[^\ud800-\udfff]*"
"""The shape of all other fields: whatever UTF-8 can write."""


def read_resource(data: Any, *, ledger: bool = False) -> Any:
    """The resource that a JSON object describes; raises Refused."""
    kind = str(data.get("kind")) if isinstance(data, dict) else "no object"
    if kind not in KINDS:
        raise Refused(f"unknown kind of resource: {kind!r:.40}")
    known = {each.name: each for each in fields(KINDS[kind]) if ledger or each.name not in LEDGER_ONLY}
    needed = {name for name, each in known.items() if each.default is each.default_factory is MISSING}
    given = {name: value for name, value in data.items() if name != "kind"}
    odd = (given.keys() - known.keys()) | (needed - given.keys())
    if odd:
        raise Refused(f"{kind}: unknown or missing: {', '.join(sorted(odd)):.80}")
    shape_of = {"name": kind}
    return KINDS[kind](
        **{name: read_field(str(known[name].type), shape_of.get(name, name), value) for name, value in given.items()}
    )


def read_field(kind: str, shape: str, value: Any) -> Any:
    """A value in its Python type and shape; raises Refused without the value, since it may be secret."""
    if kind == "bool" and isinstance(value, bool):
        return value
    given = {"str": str, "tuple[str, ...]": list, "Mapping[str, str]": dict}.get(kind)
    if type(value) is not given or (given is dict and "" in value):
        raise Refused(f"{shape}: not of type {kind}")
    texts: Iterable[Any] = [value] if given is str else value.values() if given is dict else value
    for text in texts:
        if not isinstance(text, str) or not re.fullmatch(SHAPES.get(shape, FREE_TEXT), text):
            raise Refused(f"{shape}: not a valid value")
    return tuple(value) if isinstance(value, list) else value


# --- ledger: what the laptop itself remembers ------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of one component. Without digest it was begun and not finished."""

    digest: str = ""
    resources: tuple[Any, ...] = ()
    pending: tuple[str, ...] = ()
    """Notifications that must still follow the changes made."""


class Ledger:
    """The file of what was applied. It is believed only on the machine that wrote it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.machine_id = read_text(machine.path("/etc/machine-id"))
        self.generation = 0
        self.entries: Mapping[str, Entry] = {}
        self.state = self._load()
        self.next_generation = self.generation

    def _load(self) -> str:
        """Take over what the file says if it is whole and ours; the result says what became of it."""
        try:
            data = json.loads(self.machine.path(LEDGER).read_bytes())
            if data["machine_id"] != self.machine_id:
                return "of another machine"
            entries = {name: read_entry(entry) for name, entry in data["components"].items()}
            self.generation, self.entries = int(data["generation"]), entries
        except FileNotFoundError:
            return "missing"
        except (OSError, ValueError, KeyError, TypeError, AttributeError, Refused):
            return "unreadable"
        return "ok"

    def put(self, name: str, entry: Entry) -> None:
        """Remember an entry. Raises OSError, and then still says what the disk says."""
        if self.entries.get(name) != entry:
            self._save({**self.entries, name: entry})

    def close(self) -> None:
        """Remember the new generation also when no entry had to be written; raises OSError."""
        if self.generation != self.next_generation:
            self._save(self.entries)

    def _save(self, entries: Mapping[str, Entry]) -> None:
        data = {
            "format": FORMAT,
            "machine_id": self.machine_id,
            "generation": self.next_generation,
            "components": {name: write_entry(entry) for name, entry in entries.items()},
        }
        write_private(self.machine, self.machine.path(LEDGER), json.dumps(data).encode())
        self.generation, self.entries, self.state = self.next_generation, entries, "ok"


def read_entry(data: Mapping[str, Any]) -> Entry:
    """One component of the ledger file."""
    return Entry(
        digest=str(data["digest"]),
        resources=tuple(read_resource(each, ledger=True) for each in data["resources"]),
        pending=read_field("tuple[str, ...]", "notify", data["pending"]),
    )


def write_entry(entry: Entry) -> dict[str, Any]:
    """The reverse of `read_entry`."""
    kind_of = {kind: name for name, kind in KINDS.items()}
    resources = [{"kind": kind_of[type(each)], **asdict(each)} for each in entry.resources]
    return {"digest": entry.digest, "resources": resources, "pending": list(entry.pending)}


def remembered(machine: Machine, resource: Any, owned: Iterable[str]) -> Any:
    """A resource as the ledger keeps it: fingerprints instead of contents, and whether mvpc brought it."""
    if isinstance(resource, (Package, Unit)):
        return replace(resource, ours=resource.identity in owned)
    file = resource.file() if isinstance(resource, Connection) else resource
    bare = replace(resource, validate=()) if isinstance(resource, File) else resource
    return replace(bare, content="", sha256=fingerprint(machine, file))


# --- what is: one question per tool, asked when it is first needed ---------------------------

UNIT_QUESTIONS = (
    "LoadState,ActiveState,SubState,UnitFileState,Type,RemainAfterExit,Result,"
    "ConditionResult,ConditionTimestampMonotonic,ExecMainExitTimestampMonotonic"
)


@dataclass(frozen=True)
class UnitState:
    """What systemd says of a unit (org.freedesktop.systemd1(5))."""

    says: Mapping[str, str]

    @property
    def masked(self) -> bool:
        """Whether it cannot be started at all."""
        return self.says["UnitFileState"] == "masked"

    @property
    def starts_at_boot(self) -> bool:
        """Whether enabling it would change nothing."""
        return self.says["UnitFileState"] in {"enabled", "static", "alias", "indirect", "generated"}

    @property
    def enabled(self) -> bool:
        """Whether disabling it would change something."""
        return self.says["UnitFileState"] in {"enabled", "enabled-runtime"}

    @property
    def active(self) -> bool:
        """Whether it runs now; one that is about to be started once more after a crash does not."""
        state = self.says["ActiveState"]
        starting = state == "activating" and not self.says["SubState"].startswith("auto-restart")
        return starting or state in {"active", "reloading", "refreshing"}

    @property
    def settled(self) -> bool:
        """Whether starting it would change nothing: it runs, has done its work, or does not want to run here."""
        never = {"", "0"}
        unwilling = self.says["ConditionResult"] == "no" and self.says["ConditionTimestampMonotonic"] not in never
        once = self.says["Type"] == "oneshot" and self.says["RemainAfterExit"] == "no"
        ended_well = self.says["Result"] == "success" and self.says["ExecMainExitTimestampMonotonic"] not in never
        return self.active or unwilling or (once and ended_well)


class Observed:
    """What the tools of the laptop say about all resources of a run, until told to look again."""

    def __init__(self, machine: Machine, resources: Sequence[Any], pending: Iterable[str]) -> None:
        self.machine = machine
        self.package_names = sorted({each.name for each in resources if isinstance(each, Package)})
        words = {*pending, *(word for each in resources for word in getattr(each, "notify", ()))}
        notified = {word.split()[1] for word in words if " " in word}
        self.unit_names = sorted({each.name for each in resources if isinstance(each, Unit)} | notified)
        self._answers: dict[str, Any] = {}

    def forget(self, questions: Iterable[str]) -> None:
        """Ask again when next needed: `packages`, `units`, `connections`."""
        for question in questions:
            self._answers.pop(question, None)

    def version(self, package: str) -> str:
        """The installed version; empty when the package is not (completely) installed."""
        if "packages" not in self._answers:
            self._answers["packages"] = ask_dpkg(self.machine, self.package_names)
        return str(self._answers["packages"].get(package, ""))

    def unit(self, name: str) -> UnitState:
        """The state of a unit, which need not exist."""
        if "units" not in self._answers:
            self._answers["units"] = ask_systemd(self.machine, self.unit_names)
        return UnitState(self._answers["units"][name])

    def connections(self) -> list[dict[str, str]] | None:
        """What NetworkManager knows; None while it does not run."""
        if "connections" not in self._answers:
            self._answers["connections"] = ask_network_manager(self.machine)
        answer: list[dict[str, str]] | None = self._answers["connections"]
        return answer


def ask_dpkg(machine: Machine, names: Sequence[str]) -> dict[str, str]:
    """Installed package -> version, under its plain name and under `name:architecture`."""
    if not names:
        return {}
    layout = "${db:Status-Status} ${Package} ${Architecture} ${Version}\n"
    ran = machine.run(["dpkg-query", "--show", f"--showformat={layout}", "--", *names])
    if ran.code > 1:  # 1: some are unknown, which is an answer
        raise Failure(f"dpkg-query: {gist(ran.err)}")
    rows = [line.split() for line in ran.out.splitlines()]
    installed = [row[1:] for row in rows if len(row) == 4 and row[0] == "installed"]
    return {key: version for name, arch, version in installed for key in (name, f"{name}:{arch}")}


def ask_systemd(machine: Machine, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Unit -> its properties; units that do not exist answer too."""
    if not names:
        return {}
    out = run_well(machine, "systemctl", "show", f"--property={UNIT_QUESTIONS}", "--", *names)
    blocks = out.strip("\n").split("\n\n")
    if len(blocks) != len(names):
        raise Failure(f"systemctl show: {len(blocks)} answers to {len(names)} questions")
    blank = dict.fromkeys(UNIT_QUESTIONS.split(","), "")
    said = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return {name: {**blank, **said[position]} for position, name in enumerate(names)}


def ask_network_manager(machine: Machine) -> list[dict[str, str]] | None:
    """Connections with id, uuid, type and state; None while NetworkManager does not run."""
    ran = machine.run(["nmcli", "--terse", "--fields", "NAME,UUID,TYPE,STATE", "connection", "show"])
    if ran.code in {NOT_FOUND, 8}:  # 8: NetworkManager is not running, nmcli(1)
        return None
    if ran.code != 0:
        raise Failure(f"nmcli: {gist(ran.err)}")
    rows = [re.split(r"(?<!\\):", line) for line in ran.out.splitlines()]
    plain = [[re.sub(r"\\(.)", r"\1", cell) for cell in row] for row in rows if len(row) == 4]
    return [{"id": name, "uuid": uuid, "type": kind, "state": state} for name, uuid, kind, state in plain]


# --- files and keys --------------------------------------------------------------------------


def file_steps(walk: Walk, file: File) -> Iterator[Step]:
    """What makes the path hold this file, link, or nothing. A link in its place is replaced, never followed."""
    path, label = walk.machine.path(file.path), file.label
    now = look(path)
    if not file.present:
        if now is not None:
            yield Step(f"{label} exists", f"{label} deleted", partial(delete, path), file.notify)
        return
    odd = differences(walk.machine, file, now)
    if odd:
        missing = f"{label} is missing", f"{label} created"
        differs = f"{label} differs ({', '.join(odd)})", f"{label} updated ({', '.join(odd)})"
        found, done = missing if now is None else differs
        diff = unified_diff(walk.machine, file, now) if walk.with_diff else ""
        yield Step(found, done, partial(install, walk.machine, file), file.notify, diff=diff)


def differences(machine: Machine, file: File, now: os.stat_result | None) -> list[str]:
    """In which respects the path is not as it should be."""
    path = machine.path(file.path)
    if now is None:
        return ["missing"]
    if file.target:
        same = stat.S_ISLNK(now.st_mode) and os.fspath(path.readlink()) == file.target
        return [] if same else ["target"]
    if not stat.S_ISREG(now.st_mode):
        return ["kind of file"]
    try:
        owners: object = machine.owner_ids(file.owner, file.group)
    except KeyError:
        owners = "not there yet"
    odd = {
        "content": sha256(path) != fingerprint(machine, file),
        "mode": stat.S_IMODE(now.st_mode) != int(file.mode, 8),
        "owner": (now.st_uid, now.st_gid) != owners,
    }
    return [respect for respect, is_odd in odd.items() if is_odd]


def install(machine: Machine, file: File) -> None:
    """Put a file or link in its place in one step, after its validation."""
    path = machine.path(file.path)
    with replacing(path) as fresh:
        if file.target:
            fresh.symlink_to(file.target)
            return
        try:
            uid, gid = machine.owner_ids(file.owner, file.group)
        except KeyError as unknown:
            raise Failure(f"file {file.path}: owner: {unknown.args[0]}") from None
        own = partial(machine.chown, uid=uid, gid=gid)
        write(fresh, filled(machine, file), mode=int(file.mode, 8), own=own)
        validate(machine, file, fresh)


def validate(machine: Machine, file: File, fresh: Path) -> None:
    """Ask the program that will read the file. What it says of a secret file is not passed on."""
    if not file.validate:
        return
    ran = machine.run([word.replace("%s", str(fresh)) for word in file.validate])
    if ran.code != 0:
        said = "its content is secret" if file.secret else gist(ran.err) or gist(ran.out)
        said = said.replace(str(fresh), file.path)
        raise Failure(f"file {file.path}: refused by {file.validate[0]} (exit code {ran.code}): {said}")


def filled(machine: Machine, file: File) -> bytes:
    """The content with the laptop's own keys in place of their tokens."""
    content = file.content
    for token, kind in file.device_keys.items():
        key = machine.path(f"{KEYS}/{kind}.key")
        if look(key):  # a check may come before it is made
            content = content.replace(token, key.read_text().strip())
    return content.encode()


def fingerprint(machine: Machine, file: File) -> str:
    """SHA-256 that the file should have; empty for what has no content."""
    if file.target or not file.present:
        return ""
    return file.sha256 or hashlib.sha256(filled(machine, file)).hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file of any size."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        for block in iter(partial(stream.read, 1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def unified_diff(machine: Machine, file: File, now: os.stat_result | None) -> str:
    """What would change in a file that everybody may read, before and after; else nothing."""
    from difflib import unified_diff as lines_of  # noqa: PLC0415 - rarely needed, and slow to import

    if file.secret or file.target or (now and not (stat.S_ISREG(now.st_mode) and now.st_mode & stat.S_IROTH)):
        return ""
    before = machine.path(file.path).read_text(encoding="utf-8", errors="replace") if now else ""
    lines = lines_of(before.splitlines(), file.content.splitlines(), file.path, file.path, lineterm="")
    return "".join(f"{line}\n" for line in lines)[:MAX_DIFF]


def key_steps(walk: Walk) -> Iterator[Step]:
    """Private keys are made on the laptop and never leave it."""
    if not any("wireguard" in file.device_keys.values() for file in walk.wanted_files()):
        return
    private, public = (walk.machine.path(f"{KEYS}/wireguard.{end}") for end in ("key", "pub"))
    now = look(private)
    make = partial(make_wireguard_key, walk.machine, private, public)
    if now is None or look(public) is None:
        yield Step("wireguard key is missing", "wireguard key made", make)
    elif stat.S_IMODE(now.st_mode) != 0o600:
        yield Step("wireguard key differs (mode)", "wireguard key updated (mode)", make)


def make_wireguard_key(machine: Machine, private: Path, public: Path) -> None:
    """Make what is missing of a key pair (wg(8)); the key goes through pipes, never through an argument."""
    key = private.read_text().strip() if look(private) else run_well(machine, "wg", "genkey").strip()
    write_private(machine, private, f"{key}\n".encode())
    write_private(machine, public, run_well(machine, "wg", "pubkey", stdin=key).encode(), mode=0o644)


def blocking_steps(walk: Walk) -> Iterator[Step]:
    """What must go before something new can come: a file where a folder will be, a profile with the same UUID."""
    places = tuple(file.path for file in walk.wanted_files())
    uuids = {each.uuid for each in walk.wanted(Connection)}
    twins = [each.file() for each in walk.gone(Connection) if each.uuid in uuids]
    parents = [file for file in walk.gone(File) if any(place.startswith(file.path + "/") for place in places)]
    for file in (*parents, *twins):
        yield from leaving_steps(walk, file)


def apt_file_steps(walk: Walk) -> Iterator[Step]:
    """Apt's own files come before packages: they say where packages come from."""
    for file in walk.wanted_files():
        if file.path.startswith("/etc/apt/"):
            yield from file_steps(walk, file)


def all_file_steps(walk: Walk) -> Iterator[Step]:
    """Files and keyfiles."""
    for file in walk.wanted_files():
        yield from file_steps(walk, file)


def gone_file_steps(walk: Walk) -> Iterator[Step]:
    """Files and keyfiles that no component has any more."""
    for file in (*walk.gone(File), *(each.file() for each in walk.gone(Connection))):
        yield from leaving_steps(walk, file)


def leaving_steps(walk: Walk, file: File) -> Iterator[Step]:
    """What deletes a file that mvpc made; a folder that took its place is not mvpc's."""
    now = look(walk.machine.path(file.path))
    if file.present and now and not stat.S_ISDIR(now.st_mode):
        yield from file_steps(walk, replace(file, present=False))


# --- packages --------------------------------------------------------------------------------

APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold")
APT_SECONDS = 1800
LISTS_STAMP = "/var/lib/mvpc/apt-updated"
LISTS_SECONDS = 6 * 3600
LIFELINES = frozenset({"network-manager", "openssh-server", "python3", "sudo", "systemd-sysv"})
"""Without these nobody reaches the laptop again."""


def package_steps(walk: Walk) -> Iterator[Step]:
    """One transaction for everything, taken with the first step: packages that come and packages that go."""
    wanted = walk.wanted(Package)
    come = [each for each in wanted if each.present and not satisfied(each, walk.seen.version(each.name))]
    go = [each for each in wanted if not each.present] + [each for each in walk.gone(Package) if each.ours]
    go = [each for each in go if walk.seen.version(each.name)]
    act: Callable[[], object] = partial(transact, walk.machine, come, go, keep=walk.run.kept_packages)
    for each in come:
        version = f" {each.version}" if each.version else ""
        now = walk.seen.version(each.name)
        found = f"package {each.name} has version {now}" if now else f"package {each.name} is missing"
        yield Step(found, f"package {each.name}{version} installed", act, takes="" if now else each.identity)
        act = nothing
    for each in go:
        yield Step(f"package {each.name} is installed", f"package {each.name} removed", act)
        act = nothing


def satisfied(package: Package, version: str) -> bool:
    """Whether the installed version will do."""
    return version == package.version if package.version else bool(version)


def nothing() -> None:
    """The step was taken together with another one."""


def transact(machine: Machine, come: Sequence[Package], go: Sequence[Package], *, keep: frozenset[str]) -> None:
    """Install and remove in one go, with fresh lists, and only what was asked for."""
    if machine.run(["dpkg", "--audit"]).out.strip():
        run_well(machine, "dpkg", "--configure", "-a", timeout=APT_SECONDS)
    updated = bool(come) and lists_are_old(machine) and update_lists(machine)
    names = [f"{each.name}={each.version}" if each.version else each.name for each in come]
    argv = [*APT, "--no-install-recommends", "--allow-downgrades", "install", *names, *(f"{each.name}-" for each in go)]
    refuse_side_effects(machine, argv, go, keep)
    ran = machine.run(argv, timeout=APT_SECONDS)
    if ran.code != 0 and come and not updated and update_lists(machine):
        ran = machine.run(argv, timeout=APT_SECONDS)
    if ran.code != 0:
        raise Failure(f"apt-get install: {gist(ran.err) or gist(ran.out)}")


def refuse_side_effects(machine: Machine, argv: Sequence[str], go: Sequence[Package], keep: frozenset[str]) -> None:
    """Removing a package takes along all that need it; not so when one of them is wanted."""
    if not go:
        return
    plan = machine.run([*argv, "--simulate"], timeout=APT_SECONDS).out
    leaving = {words[1] for words in map(str.split, plan.splitlines()) if words[:1] == ["Remv"]}
    victims = sorted((leaving & keep) - {each.name for each in go})
    if victims:
        raise Failure(f"removing {', '.join(each.name for each in go)} would also remove {', '.join(victims)}")


def lists_are_old(machine: Machine) -> bool:
    """Whether package lists are missing, older than six hours, or older than the sources they come from."""
    stamp = look(machine.path(LISTS_STAMP))
    if stamp is None or not any(machine.path("/var/lib/apt/lists").glob("*_*")):
        return True
    sources = look_at_all(machine.path("/etc/apt").glob("sources.list*"))
    sources += look_at_all(machine.path("/etc/apt/sources.list.d").glob("*"))
    newest = max((each.st_ctime for each in sources), default=0)
    return newest >= stamp.st_mtime or not 0 <= time.time() - stamp.st_mtime < LISTS_SECONDS


def look_at_all(paths: Iterable[Path]) -> list[os.stat_result]:
    """What is at each path that is there."""
    return [found for found in map(look, paths) if found]


def update_lists(machine: Machine) -> bool:
    """Fetch package lists. One unreachable source is no reason to stop: the transaction will tell."""
    ran = machine.run([*APT, "update"], timeout=APT_SECONDS)
    if ran.code == 0:
        write_private(machine, machine.path(LISTS_STAMP), b"")
    return True


# --- connections -----------------------------------------------------------------------------


def connection_steps(walk: Walk) -> Iterator[Step]:
    """NetworkManager must know each profile; what is still to be announced to it cannot be known yet."""
    wanted = walk.wanted(Connection)
    known = walk.seen.connections() if wanted and "connections" not in walk.pending else None
    if known is None:
        return
    uuids = {each["uuid"] for each in known}
    for each in wanted:
        if each.uuid not in uuids:
            path = os.fspath(walk.machine.path(each.identity))
            load = partial(run_well, walk.machine, "nmcli", "connection", "load", path)
            yield Step(f"connection {each.id} is unknown to NetworkManager", f"connection {each.id} loaded", load)


# --- units -----------------------------------------------------------------------------------


def unit_steps(walk: Walk) -> Iterator[Step]:
    """Mask, unmask, enable, disable, start, stop."""
    for unit in walk.wanted(Unit):
        now = walk.seen.unit(unit.name)
        if unit.masked:
            if not now.masked or now.active:
                yield systemctl(walk, unit, "is not masked", "masked", "mask", "--now")
            continue
        if now.masked:
            yield systemctl(walk, unit, "is masked", "unmasked", "unmask")
        yield from boot_steps(walk, unit, now)
        yield from running_steps(walk, unit, now)


def boot_steps(walk: Walk, unit: Unit, now: UnitState) -> Iterator[Step]:
    """Whether it starts at boot. What a mask hides is set in any case."""
    if unit.enabled and not now.starts_at_boot:
        yield systemctl(walk, unit, "is disabled", "enabled", "enable")
    if not unit.enabled and (now.enabled or now.masked):
        yield systemctl(walk, unit, "is enabled", "disabled", "disable")


def running_steps(walk: Walk, unit: Unit, now: UnitState) -> Iterator[Step]:
    """Whether it runs now. A unit started here reads its new configuration by itself."""
    if unit.running and not now.settled:
        walk.started.add(unit.name)
        yield systemctl(walk, unit, "is stopped", "started", "start")
    if not unit.running and now.active:
        yield systemctl(walk, unit, "is running", "stopped", "stop")


def gone_unit_steps(walk: Walk) -> Iterator[Step]:
    """Units that no component has any more, as long as their unit files are still there."""
    for unit in walk.gone(Unit):
        now = walk.seen.unit(unit.name)
        if unit.ours and unit.masked and now.masked:
            yield systemctl(walk, unit, "is masked", "unmasked", "unmask")
        elif unit.ours and unit.enabled and now.enabled:
            yield systemctl(walk, unit, "is enabled", "disabled", "disable", "--now")


def systemctl(walk: Walk, unit: Unit, found: str, done: str, *verb: str) -> Step:
    """The step that one systemctl command is."""
    act = partial(run_well, walk.machine, "systemctl", *verb, "--", unit.name, timeout=180)
    takes = unit.identity if verb[0] in {"enable", "mask"} else ""
    return Step(f"{unit.identity} {found}", f"{unit.identity} {done}", act, takes=takes)


# --- notifications ---------------------------------------------------------------------------

EARLY = ("daemon-reload", "connections", "hostname")
"""What units and NetworkManager must have heard before they are looked at."""


def early_steps(walk: Walk) -> Iterator[Step]:
    """Notifications that others build on."""
    for word in EARLY:
        if word in walk.pending:
            yield notification(walk, word)


def late_steps(walk: Walk) -> Iterator[Step]:
    """Reloads and restarts, each once, for units that run and did not start only now."""
    for word in walk.pending:
        verb, _, unit = word.partition(" ")
        superseded = verb == "reload" and f"restart {unit}" in walk.pending
        if word not in EARLY and not superseded and unit not in walk.started and walk.seen.unit(unit).active:
            yield notification(walk, word)


def notification(walk: Walk, word: str) -> Step:
    """The step that delivers one notification."""

    def deliver() -> None:
        notify(walk.machine, word)
        del walk.pending[word]

    return Step(f"outstanding: {word}", f"notified: {word}", deliver)


def notify(machine: Machine, word: str) -> None:
    """Carry out one notification."""
    verb, _, unit = word.partition(" ")
    if verb == "hostname":
        machine.set_hostname(read_text(machine.path("/etc/hostname")) or "localhost")
    elif verb == "daemon-reload":
        run_well(machine, "systemctl", "daemon-reload")
    elif verb == "connections":
        if machine.run(["nmcli", "connection", "reload"]).code not in {0, 8, NOT_FOUND}:
            raise Failure("nmcli connection reload failed")
    else:
        command = {"reload": "try-reload-or-restart", "restart": "try-restart"}[verb]
        run_well(machine, "systemctl", command, "--", unit, timeout=180)


# --- the walk --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phase:
    """One part of a walk; taking its steps spoils what was observed before."""

    steps: Callable[[Walk], Iterator[Step]]
    spoils: tuple[str, ...] = ()


PHASES = (
    Phase(gone_unit_steps, ("units",)),
    Phase(blocking_steps),
    Phase(apt_file_steps),
    Phase(package_steps, ("packages", "units", "connections")),
    Phase(key_steps),
    Phase(all_file_steps, ("units",)),
    Phase(gone_file_steps, ("units",)),
    Phase(early_steps, ("units", "connections")),
    Phase(connection_steps, ("connections",)),
    Phase(unit_steps, ("units",)),
    Phase(late_steps, ("units",)),
)


@dataclass
class Report:
    """What a walk tells about its component."""

    name: str
    digest: str = ""
    outcome: str = "unchanged"
    changes: list[str] = field(default_factory=list)
    error: str = ""
    diff: str = ""


@dataclass(frozen=True)
class Run:
    """What the walks over all components share."""

    machine: Machine
    order: Order
    ledger: Ledger
    seen: Observed
    owned: set[str]
    """Identities of packages and units that are there because of mvpc; grows during the run."""

    @property
    def kept_packages(self) -> frozenset[str]:
        """Packages that no removal may take along."""
        wanted = [each for component in self.order.components for each in component.resources]
        wanted += [each for entry in self.ledger.entries.values() for each in entry.resources]
        return LIFELINES | {each.name for each in wanted if isinstance(each, Package) and each.present}

    def claims_besides(self, name: str) -> set[str]:
        """Identities that other components have, in the ledger or in the order."""
        claims: list[tuple[Any, ...]] = [
            entry.resources for other, entry in self.ledger.entries.items() if other != name
        ]
        claims += [each.resources for each in self.order.components if each.name != name]
        return {each.identity for resources in claims for each in resources}


class Walk:
    """One component, phase by phase. Nothing is touched unless `apply`."""

    def __init__(self, run: Run, component: Component) -> None:
        self.run, self.component = run, component
        self.machine, self.seen = run.machine, run.seen
        self.apply, self.probe = run.order.action == "apply", run.order.action == "probe"
        self.with_diff = run.order.diff
        self.before = run.ledger.entries.get(component.name, Entry())
        self.pending = dict.fromkeys(self.before.pending)
        self.started: set[str] = set()
        kept = {each.identity for each in component.resources} | run.claims_besides(component.name)
        self._gone = [each for each in self.before.resources if each.identity not in kept]

    def wanted(self, kind: type[Kind]) -> list[Kind]:
        """Resources that the component has."""
        return [each for each in self.component.resources if isinstance(each, kind)]

    def wanted_files(self) -> list[File]:
        """Files and keyfiles that the component has."""
        return [*self.wanted(File), *(each.file() for each in self.wanted(Connection))]

    def gone(self, kind: type[Kind]) -> list[Kind]:
        """Resources that the component had, and that no component has now."""
        return [each for each in self._gone if isinstance(each, kind)]

    def report(self) -> Report:
        """Go through all phases, and tell. A component that fails stays unfinished in the ledger."""
        report = Report(self.component.name)
        if self.probe and not self.before.digest:
            report.changes.append("the last apply did not finish")
        try:
            for phase in PHASES:
                self._go_through(phase, report)
            if self.apply:
                self.run.ledger.put(report.name, self._entry(self.component.resources, self.component.digest))
        except (Failure, OSError) as problem:
            report.error = explain(problem)
            self._leave_unfinished()
        report.outcome = "failed" if report.error else "changed" if report.changes else "unchanged"
        report.digest = self.run.ledger.entries.get(report.name, Entry()).digest
        return report

    def _go_through(self, phase: Phase, report: Report) -> None:
        steps = list(phase.steps(self))
        if steps and not self.probe:
            self.pending.update(dict.fromkeys(word for step in steps for word in step.notify))
        if steps and self.apply:
            self.run.owned.update(step.takes for step in steps if step.takes)
            self.run.ledger.put(report.name, self._unfinished())
        try:
            for step in steps:
                if self.apply:
                    step.act()
                report.changes.append(step.found if self.probe else step.done)
                report.diff = (report.diff + step.diff)[:MAX_DIFF]
        finally:
            if self.apply and steps:
                self.seen.forget(phase.spoils)
        left = [step.found for step in phase.steps(self)] if steps and self.apply else []
        if left:
            raise Failure(f"still so after the change: {'; '.join(left)}")

    def _unfinished(self) -> Entry:
        """What was there before or will be there: after a crash each of them may be."""
        resources = {each.identity: each for each in (*self.before.resources, *self.component.resources)}
        return self._entry(resources.values())

    def _entry(self, resources: Iterable[Any], digest: str = "") -> Entry:
        kept = tuple(remembered(self.machine, each, self.run.owned) for each in resources)
        return Entry(digest, kept, () if digest else tuple(self.pending))

    def _leave_unfinished(self) -> None:
        """When even the ledger cannot be written, it still says what it said before the run or before the failure."""
        if self.apply:
            with suppress(OSError):
                self.run.ledger.put(self.component.name, self._unfinished())


def explain(problem: Exception) -> str:
    """An error in words, without the place in this program."""
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror
    return str(problem)


# --- facts -----------------------------------------------------------------------------------


def cheap_facts(machine: Machine, ledger: Ledger) -> dict[str, Any]:
    """What can be read without starting a process."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', read_text(machine.path("/etc/os-release")), re.MULTILINE))
    boot = re.search(r"^btime (\d+)", read_text(machine.path("/proc/stat")), re.MULTILINE)
    uptime = read_text(machine.path("/proc/uptime")).split(".")[0]
    disk = os.statvfs(machine.path("/"))
    return {
        "os": f"{release.get('ID', 'unknown')}-{release.get('VERSION_ID', '')}".rstrip("-"),
        "kernel": os.uname().release,
        "boot_time": int(boot[1]) if boot else None,
        "uptime_s": int(uptime) if uptime.isdigit() else None,
        "clock": int(time.time()),
        "reboot_required": look(machine.path("/run/reboot-required")) is not None,
        "disk_free_mb": disk.f_bavail * disk.f_frsize >> 20,
        "disk_encrypted": is_encrypted(machine),
        "wireguard_public_key": read_text(machine.path(f"{KEYS}/wireguard.pub")) or None,
        "ledger": ledger.state,
    }


def is_encrypted(machine: Machine) -> bool:
    """Whether dm-crypt is anywhere below the file system at /, at any depth (LVM on LUKS, for example)."""
    mounts = [line.split() for line in read_text(machine.path("/proc/self/mountinfo")).splitlines()]
    sources = [words[words.index("-") + 2] for words in mounts if words[4] == "/"]
    source = machine.path(sources[-1]) if sources and sources[-1].startswith("/dev/") else None
    if source is None or not source.exists():
        return False
    number = source.stat().st_rdev
    return is_crypt(machine.path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"))


def is_crypt(device: Path) -> bool:
    """Whether a block device, or one that it is made of, is a dm-crypt mapping."""
    if read_text(device / "dm" / "uuid").startswith("CRYPT-"):
        return True
    slaves = device / "slaves"
    return slaves.is_dir() and any(map(is_crypt, slaves.iterdir()))


def dear_facts(machine: Machine, seen: Observed) -> dict[str, Any]:
    """What takes a process each; only a probe asks for it."""
    failed = machine.run(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"])
    connections = seen.connections()
    shown = [{key: each[key] for key in ("id", "type", "state")} for each in (connections or [])[:100]]
    return {
        "failed_units": [line.split()[0] for line in failed.out.splitlines() if line.strip()][:50],
        "updates_pending": updates_pending(machine),
        "connections": shown,
        "vpn": {"state": vpn_state(machine, connections)},
    }


def updates_pending(machine: Machine) -> int | None:
    """How many packages could be upgraded, as far as the package lists on the disk know; None without lists."""
    if not any(machine.path("/var/lib/apt/lists").glob("*_*")):
        return None
    ran = machine.run(["apt-get", "-q", "-s", "-o", "Debug::NoLocking=true", "upgrade"])
    return sum(line.startswith("Inst ") for line in ran.out.splitlines()) if ran.code == 0 else None


def vpn_state(machine: Machine, connections: Sequence[Mapping[str, str]] | None) -> str:
    """One of unknown, none, down, silent (no WireGuard handshake in the last three minutes), up."""
    if connections is None:
        return "unknown"
    tunnels = [each for each in connections if each["type"] in {"wireguard", "vpn"}]
    active = [each for each in tunnels if each["state"] == "activated"]
    if not active:
        return "down" if tunnels else "none"
    if any(each["type"] == "vpn" for each in active):
        return "up"
    handshakes = machine.run(["wg", "show", "all", "latest-handshakes"]).out.split()[2::3]
    return "up" if any(time.time() - int(each) < 180 for each in handshakes if each.isdigit()) else "silent"


# --- request and answer ----------------------------------------------------------------------

ACTIONS = frozenset({"probe", "check", "apply"})


@dataclass(frozen=True)
class Order:
    """A request that was read and understood."""

    action: str
    generation: int
    diff: bool
    components: tuple[Component, ...]


def main(request: Any, machine: Machine | None = None) -> int:
    """Answer a request on stdout. The exit code is 0 whenever there is an answer."""
    os.umask(0o022)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost connection must not stop an apply half-way
    answer = respond(request, machine or Machine())
    sys.stdout.write(shortened(answer) + "\n")
    return 0


def respond(request: Any, machine: Machine) -> dict[str, Any]:
    """Carry out a request. Whatever happens, the answer is whole."""
    ledger = Ledger(machine)
    reports: list[Report] = []
    facts: dict[str, Any] = {}
    error = ""
    try:
        order = read_order(request)
        with only_run(machine) if order.action == "apply" else nullcontext():
            ledger = Ledger(machine)
            facts = carry_out(order, machine, ledger, reports)
    except (Refused, Failure, OSError) as problem:
        error = explain(problem)
    except Exception as bug:  # noqa: BLE001 - a traceback is no answer, and could show secrets
        error = f"bug in the device program: {type(bug).__name__}"
    return {
        "format": FORMAT,
        "device": machine.hostname(),
        "machine_id": ledger.machine_id,
        "generation": ledger.generation,
        "components": [asdict(report) for report in reports],
        "facts": facts,
        "error": error[:MAX_WORDS],
    }


def carry_out(order: Order, machine: Machine, ledger: Ledger, reports: list[Report]) -> dict[str, Any]:
    """Walk over all components, add their reports, and return the facts."""
    if order.action != "probe":
        if order.generation < ledger.generation:
            raise Refused(f"generation {order.generation} is older than {ledger.generation}, which was applied already")
        ledger.next_generation = order.generation
    else:
        known = [Component(name, entry.digest, entry.resources) for name, entry in ledger.entries.items()]
        order = replace(order, components=tuple(known))
    resources = [each for component in order.components for each in component.resources]
    resources += [each for entry in ledger.entries.values() for each in entry.resources]
    pending = [word for entry in ledger.entries.values() for word in entry.pending]
    seen = Observed(machine, resources, pending)
    owned = {each.identity for each in resources if getattr(each, "ours", False)}
    run = Run(machine, order, ledger, seen, owned)
    reports.extend(Walk(run, component).report() for component in order.components)
    if order.action == "apply":
        close(ledger, reports)
    facts = cheap_facts(machine, ledger)
    return {**facts, **dear_facts(machine, seen)} if order.action == "probe" else facts


def close(ledger: Ledger, reports: Sequence[Report]) -> None:
    """Remember the generation. A disk that already failed a component is not told of twice."""
    try:
        ledger.close()
    except OSError:
        if not any(report.error for report in reports):
            raise


@contextmanager
def only_run(machine: Machine) -> Iterator[None]:
    """Hold the lock that only one apply can have; raises Refused when another one has it."""
    path = machine.path(LOCK)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"another run holds {LOCK}") from None
        yield
    finally:
        os.close(descriptor)


def read_order(request: Any) -> Order:
    """Check a whole request before anything is touched; raises Refused."""
    if not isinstance(request, dict) or request.get("format") != FORMAT:
        raise Refused(f"the request is not of format {FORMAT}")
    odd = request.keys() ^ {"format", "action", "device", "generation", "diff", "components"}
    if odd:
        raise Refused(f"request: unknown or missing: {', '.join(sorted(odd)):.80}")
    action, generation, components = request["action"], request["generation"], request["components"]
    if action not in ACTIONS:
        raise Refused(f"unknown action {action!r:.40}")
    if type(generation) is not int or type(request["diff"]) is not bool or not isinstance(components, list):
        raise Refused("generation, diff or components: not of the right type")
    read = tuple(map(read_component, components))
    if len({each.name for each in read}) != len(read):
        raise Refused("a component is given twice")
    return Order(action, generation, request["diff"], read)


def read_component(data: Any) -> Component:
    """One component of a request; raises Refused."""
    if not isinstance(data, dict) or data.keys() != {"name", "digest", "resources"}:
        raise Refused("component: needs name, digest and resources")
    name = read_field("str", "component", data["name"])
    digest = read_field("str", "digest", data["digest"])
    if not isinstance(data["resources"], list):
        raise Refused(f"component {name}: resources are not a list")
    try:
        resources = tuple(map(read_resource, data["resources"]))
    except Refused as problem:
        raise Refused(f"component {name}: {problem}") from None
    if len({each.identity for each in resources}) != len(resources):
        raise Refused(f"component {name}: a resource is given twice")
    return Component(name, digest, resources)


def shortened(answer: dict[str, Any]) -> str:
    """The answer as one line of ASCII that fits: long texts are cut, then diffs and changes are left out."""
    for report in answer["components"]:
        more = len(report["changes"]) - MAX_CHANGES
        report["changes"] = [words[:MAX_WORDS] for words in report["changes"][:MAX_CHANGES]]
        report["changes"] += [f"and {more} more"] if more > 0 else []
        report["error"] = report["error"][:MAX_WORDS]
    for left_out in ("diff", "changes"):
        if len(json.dumps(answer)) < MAX_ANSWER:
            break
        for report in answer["components"]:
            report[left_out] = report[left_out][:0]
    return json.dumps(answer)
