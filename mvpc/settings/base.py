"""What every laptop has: time, package sources, SSH, kernel parameters, updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mvpc.catalogue import Language, Presence, RemoteName
from mvpc.settings.kinds import (
    Account,
    ArchiveKey,
    Host,
    SourceComponent,
    SourceName,
    Suite,
    SysctlName,
    SysctlValue,
    TimeOfDay,
    TimeZone,
    Url,
    present,
)
from mvpc.strict import Finding, StrictModel, refuse_all

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class PackageSource(StrictModel):
    """A source of packages, believed only where its own key signs it (sources.list(5), Signed-By)."""

    state: Presence = "present"
    """Whether laptops use it."""
    url: Url
    """Address of the source."""
    suite: Suite
    """Suite, such as trixie; or for a source without suites a path that ends with /, such as ./"""
    components: Mapping[SourceComponent, Presence] = {}
    """Components of the suite; none where `suite` is a path."""
    key: ArchiveKey
    """The OpenPGP key that signs it. There is no way to use a source that nobody signs."""
    replaces: Presence = "absent"
    """Whether its packages take the place of those that other sources have too; else it only adds packages."""

    @model_validator(mode="after")
    def _has_components_or_a_path(self) -> Self:
        if self.suite.endswith("/") == bool(present(self.components)):
            step = "Write for example: suite: trixie with components: {main: present}, or: suite: ./"
            refuse_all([Finding(("components",), "go with a suite and not with a path (sources.list(5))", step)])
        return self


class Apt(StrictModel):
    """Where packages come from. Without a mirror, the sources that the laptop came with are left alone."""

    mirror: Url | None = None
    """Mirror of the distribution."""
    security_mirror: Url | None = None
    """Mirror of its security updates."""
    sources: Mapping[SourceName, PackageSource] = {}
    """More sources, by name: those of the site itself, or of a product."""


class FlatpakRemote(StrictModel):
    """A repository of Flatpaks, with the key that signs it."""

    url: Url
    """Where it is; the folder that holds `summary`."""
    key: ArchiveKey
    """The OpenPGP key that signs it. There is no way to use a remote that nobody signs."""


class Flatpak(StrictModel):
    """Where Flatpaks come from. Without remotes, laptops get no Flatpaks."""

    remotes: Mapping[RemoteName, FlatpakRemote] = {}
    """Repositories by name; Flatpaks of the catalogue say which one they come from."""


class Ssh(StrictModel):
    """The SSH server of the laptop, through which mvpc works."""

    crypto: Literal["bsi-tr-02102-2026-01", "openssh-modern"] = "bsi-tr-02102-2026-01"
    """Algorithms: those of BSI TR-02102-4 (edition 2026-01), or those that OpenSSH prefers today."""
    allow_users: Mapping[Account, Presence] = {"mvpc-admin": "present"}
    """Accounts that may log in. The account of mvpc itself (mvpc.toml, ssh.user) must be among them."""
    idle_timeout_minutes: Annotated[int, Field(ge=1, le=1440)] = 10
    """Sessions that stay silent for so long are closed."""

    @model_validator(mode="after")
    def _somebody_may_log_in(self) -> Self:
        if not present(self.allow_users):
            refuse_all([Finding(("allow_users",), "lets nobody log in, not even mvpc", "Keep mvpc-admin: present")])
        return self


class Window(StrictModel):
    """When updates may be installed, in local time. An end before the start means: after midnight."""

    start: TimeOfDay
    """When it opens."""
    end: TimeOfDay
    """When it closes."""
    days: Mapping[Day, Presence]
    """Days on which the window opens."""

    @model_validator(mode="after")
    def _opens_at_all(self) -> Self:
        findings = []
        if self.start == self.end:
            findings.append(Finding(("end",), "is the same as start, so the window never opens", "Write a later time"))
        if not present(self.days):
            findings.append(Finding(("days",), "has no day that is present", "Write for example: monday: present"))
        refuse_all(findings)
        return self


class Updates(StrictModel):
    """Automatic security updates (unattended-upgrades)."""

    automatic: bool = True
    """Whether the laptop installs security updates by itself."""
    window: Window | None = None
    """When it may do so, in local time; nothing means at any time. An end before the start means: after midnight."""
    reboot: Literal["never", "in_window"] = "never"
    """Whether it may restart by itself after an update that needs it; in_window needs a `window`."""

    @model_validator(mode="after")
    def _restarts_only_in_a_window(self) -> Self:
        if self.reboot == "in_window" and self.window is None:
            refuse_all([Finding(("reboot",), "is in_window, but there is no window", "Add window, or write never")])
        return self


class Base(StrictModel):
    """What every laptop has."""

    timezone: TimeZone = "Europe/Berlin"
    """Time zone of the IANA database."""
    languages: Mapping[Language, Presence] = {"de": "present"}
    """Languages in which products come: translations, dictionaries, help."""
    time_servers: Mapping[Host, Presence] = {}
    """NTP servers; none means those of the distribution."""
    apt: Apt = Apt()
    flatpak: Flatpak = Flatpak()
    ssh: Ssh = Ssh()
    sysctl: Mapping[SysctlName, SysctlValue] = {}
    """Kernel parameters and their values (sysctl.d(5))."""
    updates: Updates = Updates()
