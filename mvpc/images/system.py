"""What mvpc puts into a fresh root file system, beside its packages."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from mvpc.device.desk import UNIT, DeskAddress, first_boot_files
from mvpc.errors import LabError
from mvpc.identity.words import word_list
from mvpc.images.archive import Archive
from mvpc.images.definition import ImageDefinition

_SSHD = """\
# Keys only. Profiles may tighten this in files with a lower number, since sshd takes the first value that it reads.
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
HostKey /etc/ssh/ssh_host_ecdsa_key
"""

_HOST_KEY_UNIT = """\
[Unit]
Description=Make this laptop's own SSH host key
ConditionPathExists=!/etc/ssh/ssh_host_ecdsa_key
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -q -t ecdsa -b 384 -N "" -C "" -f /etc/ssh/ssh_host_ecdsa_key

[Install]
WantedBy=ssh.service
"""

_SSH_DROP_IN = """\
[Unit]
# Before this point pam_nologin turns everybody but root away.
After=systemd-user-sessions.service
"""

_REMOVED = (
    "etc/ssh/ssh_host_*",
    "etc/apt/sources.list",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/resolv.conf",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/log/*.log",
    "var/log/apt/*",
)
"""What would make all laptops alike, or tell about the controller."""

_WANTED = {
    "etc/systemd/system/ssh.service.wants/mvpc-host-key.service": "etc/systemd/system/mvpc-host-key.service",
    "etc/systemd/system/multi-user.target.wants/mvpc-enrol.service": UNIT,
}
"""Links that start a unit at boot -> the unit, which not every image has."""


def files(definition: ImageDefinition, sources: Sequence[Archive]) -> dict[str, tuple[str, int]]:
    """Path below the root -> content and mode."""
    found = {
        # An empty file is what machine-id(5) asks of images. "uninitialized" would also mean "first boot", on which
        # systemd applies all presets (switching networkd on) and may ask for a locale on the console.
        "etc/machine-id": ("", 0o444),
        "etc/hostname": ("laptop\n", 0o644),
        "etc/hosts": ("127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 laptop\n", 0o644),
        "etc/resolv.conf": ("", 0o644),
        "etc/default/locale": (f"LANG={definition.locale}\n", 0o644),
        "etc/apt/sources.list.d/debian.sources": ("\n".join(each.stanza() for each in sources), 0o644),
        "etc/ssh/sshd_config.d/50-image.conf": (_SSHD, 0o644),
        "etc/systemd/system/mvpc-host-key.service": (_HOST_KEY_UNIT, 0o644),
        "etc/systemd/system/ssh.service.d/50-image.conf": (_SSH_DROP_IN, 0o644),
    }
    for name, account in definition.accounts.items():
        if account.sudo == "nopasswd":
            found[f"etc/sudoers.d/50-{name}"] = (f"{name} ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
    if definition.desk:
        found |= first_boot_files(DeskAddress(**definition.desk.model_dump()), word_list())
    if not definition.locale.startswith("C."):
        found["etc/locale.gen"] = (f"{definition.locale} UTF-8\n", 0o644)
    return found


def configure(root: Path, definition: ImageDefinition, sources: Sequence[Archive]) -> None:
    """Turn a fresh Debian into the image: files, accounts, no identity."""
    for pattern in _REMOVED:
        for path in root.glob(pattern):
            path.unlink()
    for name, (content, mode) in files(definition, sources).items():
        _write(root / name, content, mode)
    for wanted, unit in _WANTED.items():
        if (root / unit).is_file():
            (root / wanted).parent.mkdir(parents=True, exist_ok=True)
            (root / wanted).symlink_to(f"/{unit}")
    for account in definition.accounts:
        # `*` is no password at all; a locked one (`!`) would also lock out keys when sshd runs without PAM.
        _inside(root, "useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", account)
    _inside(root, "usermod", "--lock", "root")
    if not definition.locale.startswith("C."):
        _inside(root, "locale-gen")


def _write(path: Path, content: str, mode: int) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)


def _inside(root: Path, *argv: str) -> None:
    done = subprocess.run(
        ["chroot", str(root), *argv],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise LabError(f"{argv[0]} failed in the new root file system: {done.stderr.strip()[:400]}", where=str(root))
