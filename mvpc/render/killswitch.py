"""The kill switch: an nftables table of its own that lets nothing leave the laptop beside the tunnel (ADR 19).

It lives in the kernel, so it holds while daemons die. At boot it is there before the network; where its file is
damaged, nothing goes out at all. Where nft itself fails at boot, routing refuses people's programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from mvpc.model import File, Package, Resource, Unit
from mvpc.render.template import fill
from mvpc.render.wireguard import INTERFACE
from mvpc.settings import Vpn, present

RULES = "/etc/nftables.d/mvpc-kill.nft"
UNIT = "/etc/systemd/system/mvpc-kill.service"
_SHUT = "pref 1 uidrange 1000-4294967294 prohibit"
"""People, and not those who mend it: root, apt, name resolution (Debian policy 9.2.2).

The rule comes after the routes to the laptop itself, and before all others.
"""
_AFTER_OTHERS = "/etc/systemd/system/nftables.service.d/mvpc-kill.conf"


def resources(settings: Vpn, provider: str, ssh_port: int) -> tuple[Resource, ...]:
    """All resources of the switch; none where the profile does not want it.

    Args:
        settings: the profile's.
        provider: the tunnel that this laptop really has: `wireguard` or `ikev2`.
        ssh_port: where its sshd listens.
    """
    if not settings.kill_switch.enabled:
        return ()
    answers = tuple(_answers(settings, ssh_port))
    unit = fill("kill-switch-service", unit=UNIT, rules=RULES, closed=_closed(answers), shut=_SHUT)
    return (
        Package(name="nftables"),
        File(
            path=RULES,
            content=_rules(settings, provider, answers),
            validate=("/usr/sbin/nft", "-c", "-f", "%s"),
            notify=("reload mvpc-kill.service",),
        ),
        File(path=UNIT, content=unit, notify=("daemon-reload",)),
        File(path=_AFTER_OTHERS, content=fill("kill-switch-nftables"), notify=("daemon-reload",)),
        Unit(name="mvpc-kill.service"),
    )


def _rules(settings: Vpn, provider: str, answers: Iterable[str]) -> str:
    wireguard = provider == "wireguard"
    return fill(
        "kill-switch",
        through=('"lo"', f'"{INTERFACE}"') if wireguard else ('"lo"',),
        ipsec=not wireguard,
        full=settings.tunnel == "full",
        inside=_by_family((*present(settings.routes), *present(settings.dns.servers))),
        exceptions=(*(_wireguard(settings) if wireguard else _ikev2(settings)), *_openings(settings), *answers),
    )


def _wireguard(settings: Vpn) -> Iterator[str]:
    assert settings.gateway  # noqa: S101 - the settings guarantee it
    host, _, port = settings.gateway.endpoint.rpartition(":")
    yield f"{_to([host.strip('[]')])[0]} udp dport {port}"


def _ikev2(settings: Vpn) -> Iterator[str]:
    """IKE, ESP with and without UDP around it (RFC 3948), and root's questions about the gateway's certificate."""
    assert settings.ikev2  # noqa: S101 - the settings guarantee it
    [gateway] = _to([settings.ikev2.address])
    yield f"{gateway} udp dport {{ 500, 4500 }}"
    yield f"{gateway} meta l4proto esp"
    for server in _to(present(settings.kill_switch.revocation_servers)):
        yield f"meta skuid 0 {server} tcp dport {{ 80, 443 }}"


def _openings(settings: Vpn) -> Iterator[str]:
    """Root's question whether this network is trusted, and what people need to sign in elsewhere."""
    if witness := settings.trusted_network.witness:
        yield f"meta skuid 0 {_to([witness.address])[0]} tcp dport {witness.port}"
    if settings.lets_sign_in:
        yield "oifname @portal meta l4proto { tcp, udp } th dport 53"
        yield "oifname @portal tcp dport { 80, 443 }"


def _answers(settings: Vpn, port: int) -> Iterator[str]:
    """What sshd says to those who came; a connection that the laptop itself opens begins with SYN alone (RFC 9293)."""
    for network in _to(present(settings.kill_switch.management)):
        yield f"{network} tcp sport {port} tcp flags & (syn | ack) != syn"


def _closed(answers: Iterable[str]) -> str:
    """The same table with nothing in it but what it takes to mend it, in one line without quotes for systemd."""
    neighbours = "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert }"
    allowed = ("oifname lo", "udp sport 68 udp dport 67", "udp sport 546 udp dport 547", neighbours, *answers)
    rules = " ".join(f"{rule} accept;" for rule in allowed)
    chains = (
        f"chain closed {{ type filter hook output priority filter; policy drop; {rules} }};",
        "chain forward { type filter hook forward priority filter; policy drop; };",
    )
    table = "table inet mvpc_kill"
    return f"add {table}; delete {table}; {table} {{ {' '.join(chains)} }}"


def _to(networks: Iterable[str]) -> list[str]:
    """One match for each IP version that occurs: `ip daddr { 192.0.2.10 }`."""
    return [f"{family} daddr {{ {', '.join(each)} }}" for family, each in _by_family(networks).items()]


def _by_family(networks: Iterable[str]) -> Mapping[str, list[str]]:
    """Networks by IP version, merged where they overlap, since nft refuses sets that do."""
    parsed = [ip_network(each) for each in networks]
    found = {
        "ip": [str(each) for each in collapse_addresses(each for each in parsed if isinstance(each, IPv4Network))],
        "ip6": [str(each) for each in collapse_addresses(each for each in parsed if isinstance(each, IPv6Network))],
    }
    return {family: mine for family, mine in found.items() if mine}
