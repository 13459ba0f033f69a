"""How Ansible reaches a laptop. The same variables serve mvpc's own runs and people who use the inventory plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvpc.model import HOSTNAME, Device, RoleRun

ADDRESS = re.compile(r"[A-Za-z0-9:](?:[A-Za-z0-9.:-]{0,252}[A-Za-z0-9:])?")
"""A DNS name, IPv4 or IPv6 address. Never begins with a hyphen, which ssh would take for an option."""

WITH_ROLES = "mvpc_local"
"""The group of laptops that run roles of the site."""

HOST_KEY = re.compile(r"((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,3})(?: [^\n]*)?")
"""Kind and key as in known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), perhaps with a comment."""

_SSH_OPTIONS = (
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    # The inventory's key counts, and certificates of our authority, and nothing else: see KnownHostsCommand below
    # (ssh_config(5), OpenSSH 8.5).
    "StrictHostKeyChecking=yes",
    "UserKnownHostsFile=none",
    "GlobalKnownHostsFile=none",
    "UpdateHostKeys=no",
    # A laptop must not get further through the controller.
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    # A lid that is closed is noticed after a minute: when the fourth question would be due, and three have no answer.
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """How mvpc logs in on every laptop."""

    user: str
    port: int
    key: Path
    host_authority: str = ""
    """Public key of the authority of SSH host certificates, one line; empty when there is none."""


def unfit(device: Device) -> str:
    """Why Ansible must not be pointed at this device; empty when it may."""
    if not device.is_linux:
        return f"{device.os} is not managed by mvpc"
    if not HOSTNAME.fullmatch(device.hostname):
        return "its hostname is not allowed"
    if not ADDRESS.fullmatch(device.address or device.hostname):
        return "its address is neither a name nor an IP address"
    if not HOST_KEY.fullmatch(device.host_key):
        return "the inventory holds no usable SSH host key for it"
    return ""


def host_variables(device: Device, login: Login) -> dict[str, Any]:
    """The variables of one laptop, none of them secret.

    Raises:
        ValueError: the device is `unfit`.
    """
    if reason := unfit(device):
        raise ValueError(reason)
    return {
        "ansible_connection": "ssh",
        "ansible_host": device.address or device.hostname,
        "ansible_port": login.port,
        "ansible_user": login.user,
        "ansible_ssh_private_key_file": str(login.key),
        "ansible_ssh_common_args": _ssh_arguments(device, login.host_authority),
        "ansible_host_key_checking": True,
        "ansible_become_method": "sudo",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def role_variables(runs: Iterable[RoleRun]) -> dict[str, Any]:
    """The variables of one laptop that playbooks/local.yml and the site's own roles read; none without roles."""
    found = tuple(runs)
    if not found:
        return {}
    entries = [{"component": run.component, "role": run.role, "tasks": run.tasks} for run in found]
    return {"mvpc_local_roles": entries, **{name: value for run in found for name, value in run.variables.items()}}


def inventory(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A JSON inventory of these hosts in which no string can become a template."""
    with_roles: dict[str, Any] = {name: {} for name, variables in hosts.items() if "mvpc_local_roles" in variables}
    every = {name: inert(dict(variables)) for name, variables in hosts.items()}
    return {"all": {"hosts": every, "children": {WITH_ROLES: {"hosts": with_roles}}}}


def inert(value: Any) -> Any:
    """The value with every string marked, so that Ansible never templates it (`!unsafe` in YAML)."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, dict):
        return {name: inert(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [inert(item) for item in value]
    return value


def _ssh_arguments(device: Device, authority: str) -> str:
    key = HOST_KEY.fullmatch(device.host_key)
    assert key is not None  # noqa: S101 - `unfit` has looked
    known = f"{device.hostname} {key[1]}"
    if authority:
        # printf(1) makes lines of it; neither names nor keys can hold what it would take for a format.
        known = f"'{known}\\n@cert-authority {device.hostname} {authority}\\n'"
    command = f'"KnownHostsCommand={"/usr/bin/printf" if authority else "/bin/echo"} {known}"'
    return " ".join(f"-o {option}" for option in (*_SSH_OPTIONS, f"HostKeyAlias={device.hostname}", command))
