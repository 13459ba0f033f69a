#!/usr/bin/python3 -I
"""Look after the tunnel of this laptop: bring it up, leave it out in a trusted network, let people sign in elsewhere.

    keep    what the timer and NetworkManager's dispatcher call: see where the laptop is, and do what follows
    portal  what people call: open the kill switch for a sign-in page, for some minutes
    close   close it before

Whatever opens the kill switch is an element of a set in the kernel that goes by itself, also when this program dies.
Settings are in /etc/mvpc/tunnel.json; mvpc writes both.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import syslog
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mvpc.programs.commands import answer, said
from mvpc.programs.networks import activations, domains, proves, ways_out
from mvpc.programs.openings import ended, granted, keep_note, recall, wait_minutes

SETTINGS = Path("/etc/mvpc/tunnel.json")
NOTE = Path("/run/mvpc/portal.json")
"""What to put back when the portal closes."""
OPENINGS = Path("/run/mvpc/openings.json")
"""When people had the switch open."""
LOCK = Path("/run/mvpc/tunnel.lock")
TABLE = ("inet", "mvpc_kill")
TRUSTED_S = 180
"""How long a proof counts; three times as long as the timer waits."""
HANDSHAKE_S = 8
PEOPLE = (range(1000, 60000), range(65536, 1 << 32))
"""User numbers of people (Debian policy 9.2.2); services have others."""


def main(argv: Sequence[str]) -> int:
    """Do what the first word says; the exit code."""
    if argv not in (["keep"], ["portal"], ["close"]):
        print("mvpc-tunnel: say keep, portal or close", file=sys.stderr)
        return 2
    settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
    with alone():
        if argv == ["portal"]:
            return portal(settings, int(os.environ.get("SUDO_UID", os.getuid())))
        (keep if argv == ["keep"] else close)(settings)
    return 0


@contextmanager
def alone() -> Iterator[None]:
    """One call after the other: between what one of them sees and what it does about it nothing changes."""
    LOCK.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)  # who may open it may hold it for ever
    with os.fdopen(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("One moment: the tunnel is being looked after, which may take a minute.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def keep(settings: Mapping[str, Any]) -> None:
    """Find out where the laptop is; start the tunnel, or leave it out."""
    mend_switch(settings)
    before, ways = activations(), ways_out()
    trusted = bool(ways) and all(proves(settings, each) for each in ways)
    trusted = trusted and activations() == before  # else it was another network that proved itself
    trust(settings, ways if trusted else [])
    if trusted and activations() != before:  # NetworkManager emptied the set, and then it was filled
        trusted = False
        trust(settings, [])
    if trusted:
        leave_out(settings)
    elif not NOTE.exists():
        if opened(settings, "portal"):
            put("portal", [], 0)  # nobody would close it when the tunnel is up
        start(settings)
    elif not time_left(settings, opened(settings, "portal")) or comes_through(settings):
        close(settings)


def start(settings: Mapping[str, Any]) -> None:
    """Let the tunnel come up where it is neither up nor on its way."""
    if settings["provider"] == "wireguard":
        if not is_active(settings):
            said("nmcli", "--wait", "20", "connection", "up", "id", settings["connection"])
    elif not associations("INSTALLED", "CONNECTING"):
        said("swanctl", "--initiate", "--child", "mvpc", "--timeout", "50")


def leave_out(settings: Mapping[str, Any]) -> None:
    """Take the tunnel down, or stop it from coming up."""
    if settings["provider"] == "wireguard":
        if is_active(settings):
            said("nmcli", "connection", "down", "id", settings["connection"])
    elif associations("INSTALLED", "ESTABLISHED", "CONNECTING"):
        said("swanctl", "--terminate", "--ike", "mvpc", "--force", "--timeout", "5")


def comes_through(settings: Mapping[str, Any]) -> bool:
    """Whether the gateway answers by now; WireGuard's connection takes all traffic, so it goes again where not."""
    start(settings)
    if settings["provider"] != "wireguard":
        return is_through(settings)
    for _ in range(HANDSHAKE_S):
        if is_through(settings):
            return True
        time.sleep(1)
    leave_out(settings)
    return False


def is_through(settings: Mapping[str, Any]) -> bool:
    """Whether the gateway has answered, as far as the laptop knows."""
    return has_handshake() if settings["provider"] == "wireguard" else associations("INSTALLED")


def is_active(settings: Mapping[str, Any]) -> bool:
    """Whether NetworkManager has the tunnel up, whatever the gateway says."""
    return settings["connection"] in said("nmcli", "-t", "-f", "NAME", "connection", "show", "--active").splitlines()


def has_handshake() -> bool:
    """Whether the WireGuard gateway has answered within three minutes."""
    words = said("wg", "show", "all", "latest-handshakes").split()[2::3]
    return any(time.time() - int(each) < 180 for each in words if each.isdigit())


def associations(*states: str) -> bool:
    """Whether strongSwan has an association in one of these states."""
    listed = said("swanctl", "--list-sas", "--ike", "mvpc")
    return any(state in listed for state in states)


def mend_switch(settings: Mapping[str, Any]) -> None:
    """Load the switch again where somebody has flushed it."""
    if settings["kill_switch"] and answer("nft", "--json", "list", "table", *TABLE) is None:
        log("the kill switch was gone; it is loaded again")
        # Whoever flushed it may have loaded it again by now. A restart would open it for a moment, a reload never does.
        said("systemctl", "reload-or-restart", "--", "mvpc-kill.service")


def trust(settings: Mapping[str, Any], devices: Sequence[str]) -> None:
    """Open the switch for these interfaces for a while, and for no others."""
    if not settings["kill_switch"]:
        return
    before = opened(settings, "trusted")
    put("trusted", devices, TRUSTED_S)
    if set(before) != set(devices):
        log(f"trusted network on {', '.join(devices)}" if devices else "no trusted network any more")


def put(name: str, devices: Sequence[str], seconds: int) -> None:
    """Give a set of the switch these interfaces and no others, in one transaction; they go by themselves."""
    coming = [f'add element inet mvpc_kill {name} {{ "{each}" timeout {seconds}s }}' for each in devices]
    said("nft", "-f", "-", stdin="\n".join([f"flush set inet mvpc_kill {name}", *coming, ""]))


def opened(settings: Mapping[str, Any], name: str) -> list[str]:
    """The interfaces in a set of the switch."""
    listing = answer("nft", "--json", "list", "set", *TABLE, name) if settings["kill_switch"] else None
    sets = [each["set"] for each in (listing or {}).get("nftables", ()) if "set" in each]
    return [str(each["elem"]["val"]) for found in sets for each in found.get("elem", ())]


def portal(settings: Mapping[str, Any], user: int) -> int:
    """Open the switch for a sign-in page over the interfaces that packets would leave by; the exit code."""
    before, ways = activations(), ways_out()
    if open_for := time_left(settings, ways):
        print(f"It is open, for {(open_for + 59) // 60} more minutes. Open a browser and sign in.")
        return 0
    refusal = refused(settings, user, ways)
    if refusal:
        print(refusal, file=sys.stderr)
        return 1
    put_back()
    seconds = granted(openings(), uptime(), **allowance(settings))
    keep_note(OPENINGS, [*openings(), [uptime(), uptime() + seconds]])
    keep_note(NOTE, {each: domains(each) for each in ways})
    leave_out(settings)
    for each in ways:
        said("resolvectl", "domain", each, "~.")
    put("portal", ways, seconds)
    if activations() != before:  # NetworkManager emptied the set, and then it was filled
        close(settings)
        print("Just now another network came up. Try again when you are connected.", file=sys.stderr)
        return 1
    minutes = seconds // 60
    log(f"user {user} opened the kill switch for a sign-in page on {', '.join(ways)} for {minutes} min")
    print(f"For {minutes} minutes web pages and names are reached without the tunnel. Open a browser and sign in.")
    print("It closes by itself, at once when the tunnel is up; by hand: mvpc-portal close")
    return 0


def refused(settings: Mapping[str, Any], user: int, ways: Sequence[str]) -> str:
    """Why the switch is not opened; empty when it is."""
    if user and not any(user in numbers for numbers in PEOPLE):
        return "This is for people, not for services."
    if not settings["portal_minutes"]:
        return "There is no kill switch here that people may open."
    if not ways:
        return "There is no network to sign in to. Connect to it first."
    if is_through(settings):
        return "The tunnel is up, so there is nothing to sign in to."
    if granted(openings(), uptime(), **allowance(settings)):
        return ""
    minutes = wait_minutes(openings(), uptime(), **allowance(settings))
    return f"It was open for long enough within this hour. In {minutes} min it can be opened again."


def close(settings: Mapping[str, Any]) -> None:
    """Take back all that a portal needed, and start the tunnel."""
    if settings["kill_switch"]:
        put("portal", [], 0)
    put_back()
    start(settings)


def put_back() -> None:
    """Ask for names as before, and note that the opening is over. A damaged note says nothing of what was before."""
    if not NOTE.exists():
        return
    noted = recall(NOTE)
    for each, former in (noted if isinstance(noted, dict) else dict.fromkeys(ways_out())).items():
        said("resolvectl", "domain", each, *(former or [""]))
    keep_note(OPENINGS, ended(openings(), uptime()))
    NOTE.unlink()
    log("the kill switch is closed again after a sign-in page")


def openings() -> list[list[int]]:
    """When people had the switch open since the boot. Only root could damage that, who may open it anyhow."""
    return recall(OPENINGS) or []


def time_left(settings: Mapping[str, Any], ways: Sequence[str]) -> int:
    """For how many seconds the switch stays open for these interfaces; 0 when it is not."""
    is_open = bool(ways) and NOTE.exists() and set(opened(settings, "portal")) == set(ways)
    return max(0, openings()[-1][1] - uptime()) if is_open and openings() else 0


def allowance(settings: Mapping[str, Any]) -> dict[str, int]:
    """For how many seconds people may open the switch."""
    return {"once": settings["portal_minutes"] * 60, "hourly": settings["portal_minutes_per_hour"] * 60}


def uptime() -> int:
    """Seconds since the boot, while the laptop slept as well; nobody can set this clock."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME))


def log(what: str) -> None:
    """Tell the journal."""
    syslog.openlog("mvpc-tunnel", facility=syslog.LOG_AUTH)
    syslog.syslog(syslog.LOG_NOTICE, what)


if __name__ == "__main__":
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # Ctrl-Z would stop it with the lock in its hand
    raise SystemExit(main(sys.argv[1:]))
