"""Component base: name, time, SSH, kernel settings, updates and package sources."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import get_args
from urllib.parse import urlsplit

from mvpc.editions import edition
from mvpc.errors import InputError
from mvpc.model import Device, File, Package, Resource, Unit
from mvpc.render.pattern import HOSTNAME
from mvpc.render.template import fill
from mvpc.settings import Apt, Base, Day, Ssh, Updates, Window, present

SUITES = {"debian-12": "bookworm", "debian-13": "trixie", "ubuntu-22.04": "jammy", "ubuntu-24.04": "noble"}
"""Releases whose package sources mvpc can write."""
DISTRIBUTIONS = (".debian.org", ".ubuntu.com")
"""Ends of the hosts from which laptops come with packages."""
DAYS: tuple[Day, ...] = get_args(Day)


def resources(device: Device, settings: Base) -> tuple[Resource, ...]:
    """All resources of the component, for all laptops with these settings and the release of this one.

    Raises:
        InputError: the release is none that the settings can serve.
    """
    return (
        *_name(),
        *_time(settings),
        *_ssh(settings.ssh),
        *_kernel(settings),
        *_updates(settings.updates),
        *_sources(device, settings.apt),
        *_more_sources(settings.apt),
    )


def refuse_lock_out(device: Device, settings: Base) -> None:
    """Raises InputError when the settings would lock us out of this laptop."""
    crypto = edition(settings.ssh.crypto)
    kind = device.host_key.partition(" ")[0]
    if kind and kind not in crypto.host_keys:
        raise InputError(
            f"its SSH host key in the inventory is {kind}, which base.ssh.crypto={settings.ssh.crypto} switches off",
            where=device.hostname,
            hint=f"Enter its {crypto.host_keys[0]} key first, else nobody could log in any more",
        )


def _name() -> tuple[Resource, ...]:
    return (
        File(path="/etc/hostname", content=f"{HOSTNAME}\n", notify=("hostname",)),
        File(path="/etc/hosts", content=fill("hosts", hostname=HOSTNAME)),
    )


def _time(settings: Base) -> tuple[Resource, ...]:
    servers = present(settings.time_servers)
    chosen = File(
        path="/etc/systemd/timesyncd.conf.d/10-mvpc.conf",
        content=fill("timesyncd", servers=servers) if servers else "",
        present=bool(servers),
        notify=("restart systemd-timesyncd.service",),
    )
    return (
        Package(name="tzdata"),
        Package(name="systemd-timesyncd"),
        File(path="/etc/localtime", target=f"/usr/share/zoneinfo/{settings.timezone}"),
        File(path="/etc/timezone", content=f"{settings.timezone}\n"),
        chosen,
        Unit(name="systemd-timesyncd.service"),
    )


def _ssh(settings: Ssh) -> tuple[Resource, ...]:
    crypto = edition(settings.crypto)
    content = fill(
        "sshd",
        title=crypto.title,
        algorithms=crypto.sshd,
        users=present(settings.allow_users),
        idle_minutes=settings.idle_timeout_minutes,
    )
    return (
        Package(name="openssh-server"),
        File(
            path="/etc/ssh/sshd_config.d/10-mvpc.conf",
            content=content,
            mode="0600",
            validate=("/usr/sbin/sshd", "-t", "-f", "%s"),
            notify=("reload ssh.service",),
        ),
        Unit(name="ssh.service"),
    )


def _kernel(settings: Base) -> tuple[Resource, ...]:
    if not settings.sysctl:
        return ()
    return (
        File(
            path="/etc/sysctl.d/60-mvpc.conf",
            content=fill("sysctl", values=settings.sysctl),
            notify=("restart systemd-sysctl.service",),
        ),
    )


def _updates(settings: Updates) -> tuple[Resource, ...]:
    reboot_at = settings.window.end if settings.window and settings.reboot == "in_window" else ""
    return (
        Package(name="unattended-upgrades"),
        File(
            path="/etc/apt/apt.conf.d/52mvpc-updates",
            content=fill("updates", automatic=settings.automatic, reboot_at=reboot_at),
        ),
        _update_timer(settings.window),
        *(
            Unit(name=name, enabled=settings.automatic, running=settings.automatic)
            for name in ("apt-daily.timer", "apt-daily-upgrade.timer")
        ),
    )


def _update_timer(window: Window | None) -> File:
    """The drop-in that moves Debian's own timer into the window; removed again when there is no window."""
    content = window and fill(
        "update-timer",
        days=",".join(day[:3].capitalize() for day in DAYS if window.days.get(day) == "present"),
        start=window.start,
        end=window.end,
        spread_minutes=_minutes(window.start, window.end),
    )
    return File(
        path="/etc/systemd/system/apt-daily-upgrade.timer.d/10-mvpc.conf",
        content=content or "",
        present=window is not None,
        notify=("daemon-reload", "restart apt-daily-upgrade.timer"),
    )


def _minutes(start: str, end: str) -> int:
    """Length of a daily window in minutes; it may pass midnight."""
    length = datetime.strptime(end, "%H:%M") - datetime.strptime(start, "%H:%M")  # noqa: DTZ007 - times of any day
    return int(length / timedelta(minutes=1)) % (24 * 60)


def _sources(device: Device, settings: Apt) -> tuple[Resource, ...]:
    """The profile's mirrors in place of what the laptop came with; nothing when the profile names none."""
    if settings.mirror is None:
        return ()
    if device.os not in SUITES:
        raise InputError(
            f"package sources for {device.os} are not known", where=device.hostname, hint="Remove base.apt for it"
        )
    family = device.os.partition("-")[0]
    content = fill(
        "apt-sources",
        mirror=settings.mirror,
        security_mirror=settings.security_mirror or settings.mirror,
        suite=SUITES[device.os],
        components="main" if family == "debian" else "main restricted universe",
        keyring=f"/usr/share/keyrings/{family}-archive-keyring.gpg",
    )
    return (
        File(path="/etc/apt/sources.list.d/mvpc.sources", content=content),
        File(path=f"/etc/apt/sources.list.d/{family}.sources", present=False),
        File(path="/etc/apt/sources.list", present=False),
    )


def _more_sources(settings: Apt) -> Iterator[Resource]:
    replacing = (each.url for each in settings.sources.values() if "present" == each.state == each.replaces)
    first = {urlsplit(url).hostname for url in (settings.mirror, settings.security_mirror, *replacing) if url}
    for name, source in sorted(settings.sources.items()):
        if source.state == "present":
            content = fill(
                "apt-source",
                url=source.url,
                suite=source.suite,
                components=present(source.components),
                key=source.key.splitlines(),
            )
            yield File(path=f"/etc/apt/sources.list.d/mvpc-{name}.sources", content=content)
            host = urlsplit(source.url).hostname or ""
            # apt_preferences(5) knows a host alone: a pin would hold back what the distribution itself has there.
            if host not in first and not host.endswith(DISTRIBUTIONS):
                yield File(
                    path=f"/etc/apt/preferences.d/40-mvpc-{name}.pref", content=fill("apt-source-pin", host=host)
                )
