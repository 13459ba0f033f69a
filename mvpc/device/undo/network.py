"""What the kernel, systemd and NetworkManager hold beside files: rules of nftables, units, active connections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mvpc.device.undo.tools import ABSENT, run

_NETWORK_MANAGER = "org.freedesktop.NetworkManager"
_SET = re.compile(r"^\t(?:set|map) .*?^\t\}$", re.MULTILINE | re.DOTALL)
_ELEMENTS = re.compile(r"^\t\telements = \{((?:\"[^\"]*\"|[^\"}])*)\}\n", re.MULTILINE)
_ELEMENT = re.compile(r"(?:\"[^\"]*\"|[^\",])+")


def ruleset() -> str | None:
    """All tables of nftables without their counters, nft(8): empty without nft, None where it does not tell them."""
    code, said = run(["nft", "--stateless", "list", "ruleset"])
    if code == ABSENT:
        return ""
    return said if code == 0 else None


def restore_tables(before: str | None) -> None:
    """Give each table back what it held. Tables that have not changed are left alone, and so is what they count.

    All are left alone where nobody knows what they held: else the firewall of the laptop would go.
    """
    if before is None:
        return
    then, now = tables(before), tables(ruleset() or "")
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            run(["nft", "-f", "-"], stdin=f"add table {name}\ndelete table {name}\n{then.get(name, '')}\n")


def tables(text: str) -> dict[str, str]:
    """Family and name of each table -> its text, without what goes by itself."""
    found = re.findall(r"^table (\S+ \S+) \{\n.*?^\}$", text, re.MULTILINE | re.DOTALL)
    whole = [match[0] for match in re.finditer(r"^table \S+ \S+ \{\n.*?^\}$", text, re.MULTILINE | re.DOTALL)]
    lasting = (_SET.sub(_without_timed, each) for each in whole)
    return dict(zip(found, lasting))  # noqa: B905 - `strict` is younger than laptops


def _without_timed(found: re.Match[str]) -> str:
    """A set or map without elements that have a timeout: loaded again they would have all of their time once more."""
    text = found[0]
    # What has the timeout of its set is listed without one.
    of_set = re.search(r"^\t\ttimeout ", text, re.MULTILINE)
    return _ELEMENTS.sub("" if of_set else _lasting, text)


def _lasting(found: re.Match[str]) -> str:
    each = (word.strip() for word in _ELEMENT.findall(found[1]))
    lasting = [word for word in each if " timeout " not in re.sub(r'"[^"]*"', "", f"{word} ")]
    return f"\t\telements = {{ {', '.join(lasting)} }}\n" if lasting else ""


def end_units(units: Iterable[Mapping[str, Any]], *, booting: bool) -> None:
    """Stop and disable what did not run, while its unit file still says how. Nobody waits for a job during a boot."""
    for unit in units:
        if not unit["active"]:
            systemctl(["stop", "--no-block"] if booting else ["stop"], unit["name"])
        if not unit["enabled"]:
            systemctl(["disable"], unit["name"])


def restore_units(units: Iterable[Mapping[str, Any]], *, booting: bool) -> None:
    """Mask, enable and start what was masked, enabled and running; a boot starts what is enabled by itself."""
    for unit in units:
        systemctl(["mask" if unit["masked"] else "unmask"], unit["name"])
        if unit["enabled"]:
            systemctl(["enable"], unit["name"])
        if unit["active"] and not booting:
            systemctl(["start"], unit["name"])


def systemctl(words: Sequence[str], unit: str) -> None:
    """Tell systemd something about a unit; one that does not exist is no reason to leave out the next."""
    run(["systemctl", *words, "--", unit], seconds=90)


def reconnect(checkpoint: str, connections: Iterable[str]) -> None:
    """Let NetworkManager go back to its checkpoint; without one, bring up the old profiles of these connections."""
    run(["nmcli", "connection", "reload"])
    if checkpoint and at_network_manager("CheckpointRollback", checkpoint):
        return
    for uuid in connections:
        run(["nmcli", "--wait", "45", "connection", "up", "uuid", uuid])


def at_network_manager(method: str, checkpoint: str) -> bool:
    """Whether NetworkManager did this with a checkpoint of its own (org.freedesktop.NetworkManager on D-Bus)."""
    place = "/" + _NETWORK_MANAGER.replace(".", "/")
    return run(["busctl", "call", _NETWORK_MANAGER, place, _NETWORK_MANAGER, method, "o", checkpoint])[0] == 0
