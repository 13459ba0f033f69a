"""What looks after the tunnel on the laptop: a program, and what calls it (`mvpc/programs/tunnel.py`)."""

from __future__ import annotations

import json
from typing import Any

from mvpc.model import File, Package, Resource, Unit
from mvpc.render import wireguard
from mvpc.render.kept import FOLDER, kept
from mvpc.render.pattern import ADDRESS, ADDRESS6
from mvpc.render.template import fill
from mvpc.render.tunnel import has_ipv6
from mvpc.render.wifi import connection_id
from mvpc.settings import TrustedNetwork, Vpn, present

PROGRAM = f"{FOLDER}/tunnel"
SETTINGS = "/etc/mvpc/tunnel.json"
_KEYFILES = "/etc/NetworkManager/system-connections"
"""Where connections of profiles lie, and nobody else's: their places, unlike their names, are one laptop's alone."""
_DISPATCHERS = ("/etc/NetworkManager/dispatcher.d/50-mvpc-vpn", "/etc/NetworkManager/dispatcher.d/pre-up.d/50-mvpc-vpn")
"""NetworkManager-dispatcher(8): what is in pre-up.d runs before a network is up, and it waits for that."""


def resources(settings: Vpn, provider: str) -> tuple[Resource, ...]:
    """All resources. NetworkManager keeps a WireGuard tunnel up alone, as long as nobody else has a say in that."""
    if provider == "wireguard" and not settings.kill_switch.enabled and not _is_anywhere(settings.trusted_network):
        return ()
    unit, timer = "/etc/systemd/system/mvpc-vpn.service", "/etc/systemd/system/mvpc-vpn.timer"
    told = json.dumps(_told(settings, provider), indent=2, sort_keys=True)
    return (
        kept("tunnel"),
        File(path=SETTINGS, content=told.replace(r"\u0000", "\0") + "\n"),  # places stay places
        File(path=unit, content=fill("vpn-service", program=PROGRAM), notify=("daemon-reload",)),
        File(path=timer, content=fill("vpn-timer"), notify=("daemon-reload", "restart mvpc-vpn.timer")),
        *(File(path=path, content=fill("vpn-dispatcher"), mode="0755") for path in _DISPATCHERS),
        Unit(name="mvpc-vpn.timer"),
        *(_for_people() if settings.lets_sign_in else ()),
    )


def _is_anywhere(trusted: TrustedNetwork) -> bool:
    return bool(trusted.witness or present(trusted.wifi))


def _told(settings: Vpn, provider: str) -> dict[str, Any]:
    """What the program must know; `addresses` are those that the laptop has in the tunnel."""
    trusted = settings.trusted_network
    return {
        "provider": provider,
        "connection": wireguard.ID,
        "kill_switch": settings.kill_switch.enabled,
        "portal_minutes": settings.kill_switch.portal_minutes if settings.lets_sign_in else 0,
        "portal_minutes_per_hour": settings.kill_switch.portal_minutes_per_hour,
        "addresses": [ADDRESS, ADDRESS6] if has_ipv6(settings) else [ADDRESS],
        "trusted": {
            "connections": [f"{_KEYFILES}/{connection_id(name)}.nmconnection" for name in present(trusted.wifi)],
            "witness": trusted.witness.model_dump() if trusted.witness else None,
        },
    }


def _for_people() -> tuple[Resource, ...]:
    """How people sign in to the network of a hotel: a command and a menu entry, with the right to use them."""
    command = "/usr/local/bin/mvpc-portal"
    return (
        Package(name="sudo"),
        File(
            path="/etc/sudoers.d/mvpc-portal",
            content=fill("portal-sudoers", program=PROGRAM),
            mode="0440",
            validate=("/usr/sbin/visudo", "-cf", "%s"),
        ),
        File(path=command, content=fill("portal-command", program=PROGRAM), mode="0755"),
        File(path="/usr/local/share/applications/mvpc-portal.desktop", content=fill("portal-entry", command=command)),
    )
