"""Real ansible-playbook against a real sshd with a real sudo, on loopback.

The laptop is this machine in namespaces of its own: /etc, /var/lib and /run are private copies, so that the device
program, its ledger and the login of `mvpc-admin` leave no trace here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pytest

from mvpc.errors import RolloutError
from mvpc.inventory.difference import ImportDifference
from mvpc.model import Bundle, Component, ComponentResult, Device, File, HostWork, Outcome
from mvpc.playbook import AnsibleRunner, shards
from mvpc.playbook.folder import fill, run_folder
from mvpc.playbook.hosts import Login, inventory
from mvpc.playbook.process import _marked, playbook
from mvpc.project import load_project
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
SECRET = "correct-horse-battery-staple"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or SSHD is None or shutil.which("sudo") is None,
    reason="needs root, and the Debian packages openssh-server and sudo",
)

BOOT = """
set -e
mount -t tmpfs tmpfs "$1"
for folder in etc var/lib; do
  mkdir -p "$1/$folder/up" "$1/$folder/work"
  mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$1/$folder/up,workdir=$1/$folder/work" "/$folder"
done
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
cp "$4" /run/admin.pub
hostname nb-000001
echo "127.0.0.1 localhost nb-000001" > /etc/hosts
install -d -o 4711 -g 4711 /run/admin
echo "mvpc-admin:x:4711:4711::/run/admin:/bin/sh" >> /etc/passwd
echo "mvpc-admin:x:4711:" >> /etc/group
echo "mvpc-admin:*:20000:0:99999:7:::" >> /etc/shadow
echo "mvpc-admin ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/mvpc
exec "$2" -D -e -f "$3"
"""


@dataclass(frozen=True, kw_only=True)
class Laptop:
    device: Device
    port: int
    key: Path
    files: Path


@contextmanager
def booted(folder: Path, *extra: str) -> Iterator[Laptop]:
    """A laptop that listens on loopback; `extra` are more lines for its sshd_config."""
    host_key = new_key(folder / "host")
    new_key(folder / "admin")
    with a_port() as port, sshd_on(port, folder, extra):
        device = a_device("nb-000001", address="127.0.0.1", host_key=host_key)
        yield Laptop(device=device, port=port, key=folder / "admin", files=folder / "files")


@contextmanager
def a_port() -> Iterator[int]:
    """A free port, which nobody gets meanwhile but a server that asks for this very one."""
    with socket.socket() as reserved:
        # Both sockets have SO_REUSEADDR, and this one does not listen: Linux then lets the server have it (socket(7)).
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def sshd_on(port: int, folder: Path, extra: Sequence[str]) -> Iterator[None]:
    """The laptop's sshd, once it listens."""
    lines = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", "StrictModes no", "UsePAM no"]
    lines += ["AuthorizedKeysFile /run/admin.pub", "PidFile none", "PasswordAuthentication no", *extra]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    (folder / "private").mkdir()
    paths = [folder / "private", SSHD, folder / "sshd_config", folder / "admin.pub"]
    boot = ["unshare", "--mount", "--uts", "sh", "-c", BOOT, "boot", *map(str, paths)]
    with (folder / "sshd.log").open("wb") as log:
        sshd = subprocess.Popen(boot, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _await(lambda: b"Server listening" in (folder / "sshd.log").read_bytes())
        yield
    finally:
        sshd.terminate()
        sshd.wait()


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    with booted(tmp_path_factory.mktemp("laptop")) as up:
        yield up


def new_key(path: Path, kind: str = "ecdsa") -> str:
    """Make a key pair; returns the public key as in known_hosts."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def _await(true: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def a_runner(laptop: Laptop, **fields: object) -> AnsibleRunner:
    runner = AnsibleRunner(
        playbooks=PLAYBOOKS, user="mvpc-admin", port=laptop.port, key=laptop.key, component_seconds=60
    )
    return replace(runner, **fields)  # type: ignore[arg-type]


_generation = iter(range(int(time.time()), sys.maxsize))


def some_work(device: Device, /, **files: File) -> HostWork:
    """Work with one file per component: `some_work(device, wifi=File(...))`."""
    components = tuple(
        Component(name=name, digest=f"digest-of-{name}-{hash(file.path + file.content)}", resources=(file,))
        for name, file in files.items()
    )
    bundle = Bundle(device=device.hostname, components=components)
    return HostWork(device=device, bundle=bundle, components=tuple(files), generation=next(_generation))


def results_of(runner: AnsibleRunner, *work: HostWork) -> list[ComponentResult]:
    return list(chain.from_iterable(runner.run(work)))


def outcomes(results: Sequence[ComponentResult]) -> dict[str, Outcome]:
    return {result.component: result.outcome for result in results}


def run_folders(laptop: Laptop) -> list[Path]:
    """Folders of runs against this laptop that are there now. Other runs on this machine are none of our business."""
    found = []
    for path in Path("/dev/shm").glob(f"mvpc-{os.getuid()}-*/inventory.json"):
        with suppress(FileNotFoundError):
            found += [path.parent] if str(laptop.key) in path.read_text() else []
    return found


def plain_playbook(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """ansible-playbook as a person starts it, with the inventory of a run folder."""
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", folder / "inventory.json", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"} | environment,
        cwd=PLAYBOOKS.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


# --- the usual way ---------------------------------------------------------------------------


def test_a_component_is_changed_once_and_then_left_alone(laptop: Laptop, tmp_path: Path):
    runner, path = a_runner(laptop), tmp_path / "files/motd"
    work = some_work(laptop.device, base=File(path=str(path), content="Guten Tag\n"))
    [first] = results_of(runner, work)
    [second] = results_of(runner, work)
    assert [first.outcome, second.outcome] == [Outcome.CHANGED, Outcome.UNCHANGED], first.error
    assert path.read_text() == "Guten Tag\n"
    assert str(path) in first.changes[0]
    assert second.changes == ()
    assert first.digest == second.digest == work.bundle.component("base").digest
    assert first.at.utcoffset() is not None


def test_a_component_that_fails_does_not_keep_the_others_from_being_tried(laptop: Laptop, tmp_path: Path):
    broken = File(path=f"{tmp_path}/broken", validate=("/bin/false", "%s"))
    good = File(path=f"{tmp_path}/good", content="good")
    results = results_of(a_runner(laptop), some_work(laptop.device, vpn=broken, wifi=good))
    assert outcomes(results) == {"vpn": Outcome.FAILED, "wifi": Outcome.CHANGED}
    assert "false" in results[0].error
    assert not (tmp_path / "broken").exists()


def test_only_the_components_of_the_work_are_converged(laptop: Laptop, tmp_path: Path):
    work = some_work(laptop.device, base=File(path=f"{tmp_path}/a"), wifi=File(path=f"{tmp_path}/b", content="b"))
    results = results_of(a_runner(laptop), replace(work, components=("wifi",)))
    assert outcomes(results) == {"wifi": Outcome.CHANGED}
    assert not (tmp_path / "a").exists()


# --- laptops that cannot be worked on --------------------------------------------------------


def test_a_laptop_that_does_not_answer_is_unreachable_in_every_component(laptop: Laptop, tmp_path: Path):
    asleep = replace(laptop.device, hostname="nb-000002", address="127.0.0.2")
    work = some_work(asleep, base=File(path="/nowhere"), wifi=File(path="/nowhere"))
    results = results_of(a_runner(laptop), work)
    assert outcomes(results) == {"base": Outcome.UNREACHABLE, "wifi": Outcome.UNREACHABLE}
    assert "Connection refused" in results[0].error


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_a_laptop_with_another_host_key_is_refused_not_unreachable(laptop: Laptop, tmp_path: Path, kind: str):
    stranger = replace(laptop.device, host_key=new_key(tmp_path / "key", kind))
    [result] = results_of(a_runner(laptop), some_work(stranger, base=File(path=f"{tmp_path}/never")))
    assert result.outcome is Outcome.FAILED
    assert result.error.startswith("refused: ")
    assert "host key" in result.error
    assert not (tmp_path / "never").exists()


def test_a_laptop_that_does_not_let_us_in_is_refused_not_unreachable(laptop: Laptop, tmp_path: Path):
    new_key(tmp_path / "other")
    runner = a_runner(laptop, key=tmp_path / "other")
    [result] = results_of(runner, some_work(laptop.device, base=File(path="/nowhere")))
    assert result.outcome is Outcome.FAILED
    assert "log in" in result.error


def test_a_laptop_without_a_host_key_is_failed_without_a_connection(laptop: Laptop, tmp_path: Path):
    work = some_work(replace(laptop.device, host_key=""), base=File(path="/nowhere"))
    [result] = results_of(a_runner(laptop, key=Path("/nowhere")), work)
    assert (result.outcome, result.error) == (
        Outcome.FAILED,
        "the inventory holds no usable SSH host key for it",
    )


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("yes", "talks without end"),
        ('sh -c "$SSH_ORIGINAL_COMMAND"; yes', "talks without end"),
        ("echo '{}'", "no valid answer"),
        ("echo '[[['; exit 3", "no valid answer"),
    ],
)
def test_a_hostile_laptop_is_failed_and_costs_little(tmp_path: Path, command: str, told: str):
    with booted(tmp_path, f"ForceCommand {command}") as hostile:
        runner = a_runner(hostile, component_seconds=120)
        [result] = results_of(runner, some_work(hostile.device, base=File(path=f"{tmp_path}/file")))
    assert result.outcome is Outcome.FAILED
    assert told in result.error


# --- endings ---------------------------------------------------------------------------------


def hanging(folder: Path) -> File:
    return File(path=f"{folder}/hanging", content="x", validate=("/bin/sh", "-c", "sleep 30 # %s"))


def test_a_laptop_that_hangs_is_failed_when_its_time_is_over(tmp_path: Path):
    with booted(tmp_path) as laptop:
        runner = a_runner(laptop, component_seconds=3)
        [result] = results_of(runner, some_work(laptop.device, base=hanging(tmp_path)))
    assert result.outcome is Outcome.FAILED
    assert "3 second" in result.error
    assert run_folders(laptop) == []


def test_an_interrupted_run_leaves_no_process_and_no_file(tmp_path: Path):
    with booted(tmp_path) as laptop:
        asleep = replace(laptop.device, hostname="nb-000002", address="127.0.0.2")
        work = [some_work(laptop.device, vpn=hanging(tmp_path)), some_work(asleep, base=File(path="/nowhere"))]
        with closing(a_runner(laptop).run(work)) as batches:
            assert next(filter(None, batches))[0].device == "nb-000002"
            [folder] = run_folders(laptop)
            assert _marked(folder)
    assert run_folders(laptop) == []
    assert not folder.exists()
    assert _marked(folder) == []


def test_shards_run_side_by_side_and_end_together_when_the_run_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shards, "SMALLEST", 1)
    with booted(tmp_path) as laptop:
        asleep = replace(laptop.device, hostname="nb-000002", address="127.0.0.2")
        work = [some_work(laptop.device, vpn=hanging(tmp_path)), some_work(asleep, base=File(path="/nowhere"))]
        with closing(a_runner(laptop, processes=2).run(work)) as batches:
            [first] = next(filter(None, batches))
            assert (first.device, first.outcome) == ("nb-000002", Outcome.UNREACHABLE)
            folders = run_folders(laptop)
            assert len(folders) == 2
    assert run_folders(laptop) == []
    assert [_marked(folder) for folder in folders] == [[], []]


def test_more_shards_than_processes_are_served_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, laptop: Laptop
):
    monkeypatch.setattr(shards, "SMALLEST", 1)
    devices = [replace(laptop.device, hostname=f"nb-00000{number}", address="127.0.0.2") for number in (2, 3, 4)]
    parts = zip(devices, ("base", "vpn", "wifi"), strict=True)
    work = [some_work(device, **{part: File(path="/nowhere")}) for device, part in parts]
    results = results_of(a_runner(laptop, processes=1), *work)
    assert {(result.device, result.outcome) for result in results} == {
        (device.hostname, Outcome.UNREACHABLE) for device in devices
    }
    assert run_folders(laptop) == []


def test_ansible_ends_when_mvpc_is_killed_and_nobody_listens(laptop: Laptop, tmp_path: Path):
    asleep = replace(laptop.device, hostname="nb-000000", address="127.0.0.2")
    never = some_work(laptop.device, vpn=File(path=f"{tmp_path}/never", content="x"))
    with run_folder() as folder, (tmp_path / "nobody").open("wb") as nobody:
        work = [some_work(asleep, base=File(path="/nowhere")), never]
        fill(folder, work, Login(user="mvpc-admin", port=laptop.port, key=laptop.key), seconds=60)
        arguments = [f"--inventory={folder}/inventory.json", "--forks=1", str(PLAYBOOKS / "rollout.yml")]
        with playbook(folder, arguments, config=PLAYBOOKS / "ansible.cfg") as ansible:
            os.dup2(nobody.fileno(), ansible.events)
            assert ansible.process.wait(timeout=120) == -signal.SIGTERM
    assert not (tmp_path / "never").exists()


def test_what_a_killed_run_left_behind_is_removed_by_the_next(tmp_path: Path):
    dead = Path(tempfile.mkdtemp(prefix=f"mvpc-{os.getuid()}-", dir="/dev/shm"))
    (dead / "bundle").write_text(SECRET)
    os.utime(dead, (0, 0))
    with run_folder() as folder:
        assert not dead.exists()
        assert folder.stat().st_mode & 0o777 == 0o700


def test_ansible_that_cannot_start_is_an_error_of_the_rollout(laptop: Laptop, tmp_path: Path):
    shutil.copytree(PLAYBOOKS, tmp_path / "playbooks")
    (tmp_path / "playbooks/rollout.yml").write_text("- hosts: all\n  rolls: []\n")
    runner = a_runner(laptop, playbooks=tmp_path / "playbooks")
    with pytest.raises(RolloutError, match=r"Ansible could not start: .*rolls"):
        results_of(runner, some_work(laptop.device, base=File(path="/nowhere")))


# --- nothing leaks, nothing runs here --------------------------------------------------------


def test_the_folder_and_environment_of_the_caller_have_no_say(
    laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "ansible.cfg").write_text("[defaults]\nstdout_callback = planted\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSIBLE_CALLBACK_PLUGINS", str(tmp_path))
    monkeypatch.setenv("ANSIBLE_HOST_KEY_CHECKING", "False")
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "nobody")
    [result] = results_of(a_runner(laptop), some_work(laptop.device, base=File(path=f"{tmp_path}/x", content="x")))
    assert result.outcome is Outcome.CHANGED


def test_a_secret_is_in_no_process_no_output_and_no_leftover(laptop: Laptop, tmp_path: Path):
    secret = File(path=f"{tmp_path}/secret", content=SECRET, mode="0600")
    work = some_work(laptop.device, wifi=secret)
    login = Login(user="mvpc-admin", port=laptop.port, key=laptop.key)
    with run_folder() as folder, _watched() as seen:
        fill(folder, [work], login, seconds=60)
        assert {path.stat().st_mode & 0o777 for path in folder.rglob("*.json")} == {0o600}
        ran = plain_playbook(folder, str(PLAYBOOKS / "site.yml"), "-vvvvvv", "--diff", "--tags", "wifi")
    assert ran.returncode == 0, ran.stdout
    assert (tmp_path / "secret").read_text() == SECRET
    assert SECRET not in ran.stdout + ran.stderr
    assert any(b"ansible-playbook" in text for text in seen)
    assert not any(SECRET.encode() in text for text in seen)
    assert run_folders(laptop) == []


@contextmanager
def _watched() -> Iterator[set[bytes]]:
    """Every command line and environment that is seen on this machine in the meantime."""
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            for entry in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        seen.add((entry / name).read_bytes())
                    except OSError:
                        continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def test_template_characters_in_the_inventory_stay_text(tmp_path: Path):
    attack = "{{ lookup('ansible.builtin.pipe', 'touch %s/pwned') }}" % tmp_path  # noqa: UP031 - braces
    hosts = {"nb-000001": {"ansible_connection": "local", "room": attack, "rooms": [attack, {"deep": attack}]}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory(hosts)))
    show = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.debug": {"msg": "{{ rooms + [room] }}"}}],
    }
    (tmp_path / "show.yml").write_text(json.dumps([show]))
    ran = plain_playbook(tmp_path, str(tmp_path / "show.yml"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("lookup(") == 3
    assert not (tmp_path / "pwned").exists()


# --- for people who know Ansible -------------------------------------------------------------


def test_check_and_diff_touch_nothing_and_tell_what_would_change(laptop: Laptop, tmp_path: Path):
    work = some_work(
        laptop.device,
        base=File(path=f"{tmp_path}/motd", content="Guten Tag\n"),
        wifi=File(path=f"{tmp_path}/psk", content=SECRET, mode="0600"),
    )
    with run_folder() as folder:
        fill(folder, [work], Login(user="mvpc-admin", port=laptop.port, key=laptop.key), seconds=60)
        ran = plain_playbook(folder, str(PLAYBOOKS / "site.yml"), "--check", "--diff")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "changed=2" in ran.stdout
    assert "Guten Tag" in ran.stdout
    assert SECRET not in ran.stdout
    assert ran.stderr == ""
    assert not (tmp_path / "motd").exists()
    assert not (tmp_path / "psk").exists()


def test_a_failed_component_fails_the_playbook_of_a_person(laptop: Laptop, tmp_path: Path):
    work = some_work(laptop.device, base=File(path=f"{tmp_path}/broken", validate=("/bin/false", "%s")))
    with run_folder() as folder:
        fill(folder, [work], Login(user="mvpc-admin", port=laptop.port, key=laptop.key), seconds=60)
        ran = plain_playbook(folder, str(PLAYBOOKS / "site.yml"))
    assert ran.returncode == 2, ran.stdout
    assert "failed=1" in ran.stdout


def test_events_are_json_lines_with_fixed_keys(laptop: Laptop, tmp_path: Path):
    work = some_work(
        laptop.device,
        base=File(path=f"{tmp_path}/broken", validate=("/bin/false", "%s")),
        wifi=File(path=f"{tmp_path}/motd", content="Guten Tag\n"),
    )
    asleep = some_work(replace(laptop.device, hostname="nb-000002", address="127.0.0.2"), base=File(path="/x"))
    with run_folder() as folder:
        fill(folder, [work, asleep], Login(user="mvpc-admin", port=laptop.port, key=laptop.key), seconds=60)
        plain_playbook(
            folder,
            str(PLAYBOOKS / "rollout.yml"),
            ANSIBLE_CALLBACKS_ENABLED="mvpc.fleet.events",
            MVPC_EVENTS_FILE=str(tmp_path / "events"),
        )
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    shape = {"event", "at", "host", "component", "outcome", "changes", "digest", "error"}
    told = {(e["host"], e["component"]): e["outcome"] for e in events if e["event"] == "result"}
    assert told == {
        ("nb-000001", "base"): "failed",
        ("nb-000001", "wifi"): "changed",
    }
    assert all(set(event) == shape for event in events if event["event"] == "result")
    [lost] = [event for event in events if event["event"] == "lost"]
    assert (set(lost), lost["host"]) == ({"event", "at", "host", "outcome", "error"}, "nb-000002")
    assert lost["outcome"] == "unreachable"
    assert (events[0]["event"], events[-1]["event"]) == ("start", "finish")
    assert (tmp_path / "events").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """The sample project with one new laptop of the ressort fm and one that mvpc does not manage."""
    (tmp_path / "laptop").mkdir()
    with booted(tmp_path / "laptop") as laptop:
        yield sample_project(laptop, tmp_path / "project")


def sample_project(laptop: Laptop, root: Path) -> Path:
    for name in ("profiles", "inventory", "playbooks"):
        shutil.copytree(PLAYBOOKS.parent / name, root / name)
    (root / "mvpc.toml").write_text(f'[ssh]\nport = {laptop.port}\nkey = "{laptop.key}"\n')
    attack = "{{ lookup('ansible.builtin.pipe', 'touch pwned') }}"
    windows = a_device("nb-000002", os="windows-11")
    difference = ImportDifference(new=(replace(laptop.device, room=attack), windows))
    Store(load_project(root).make_state() / "mvpc.db").save(difference, actor="test", at=NOON, action="add")
    return root


def by_hand(project: Path, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name(tool), "-i", "inventory/mvpc.yml", *arguments],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(project), "ANSIBLE_SSH_ARGS": ""},
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_inventory_plugin_knows_the_managed_laptops_in_groups_and_no_secret(project: Path):
    ran = by_hand(project, "ansible-inventory", "--playbook-dir", "playbooks", "--list")
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    assert set(told["_meta"]["hostvars"]) == {"nb-000001"}
    assert told["fm"] == {"children": ["authority_fa_schwerin"]}
    for group in ("authority_fa_schwerin", "site_schwerin", "workplace_standard"):
        assert told[group] == {"hosts": ["nb-000001"]}
    assert "PRIVATE" not in ran.stdout
    assert not (project / "pwned").exists()


def test_people_who_know_ansible_can_look_at_a_ressort_with_check_and_diff(project: Path):
    # Without base, which looks at systemd units: there is no systemd in this laptop.
    wanted = ("--limit", "fm", "--tags", "vpn,wifi,software", "--check", "--diff")
    ran = by_hand(project, "ansible-playbook", "playbooks/site.yml", *wanted)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "nb-000001" in ran.stdout
    assert "changed=3" in ran.stdout
    assert ran.stderr == ""
    assert not (project / "pwned").exists()
