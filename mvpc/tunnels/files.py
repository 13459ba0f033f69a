"""The files of a gateway, one block for each laptop, so that two states of them can be compared block by block."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mvpc.editions import edition
from mvpc.settings import Ikev2
from mvpc.tunnels.peers import Peer

WIREGUARD, IKEV2 = "wireguard-peers.conf", "swanctl/conf.d/mvpc.conf"
"""Names of the two files below the folder of a gateway."""
NOBODY = "# Written by mvpc vpn gateway. No laptop has an IKEv2 tunnel any more.\n"
"""Takes the place of connections, so that nobody stays."""
_MARK = "# laptop "
_BLOCK = re.compile(rf"^{_MARK}(\S+)\n((?:(?!{_MARK}|# end).*\n)*)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What a new file lets in that the old one did not, and the other way round: hostnames."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def wireguard_file(peers: Iterable[Peer]) -> str:
    """The [Peer] sections of wg(8), one for each laptop. The gateway's own [Interface] section goes before them."""
    head = "# Written by mvpc vpn gateway. Behind the [Interface] section of the gateway: wg syncconf INTERFACE FILE\n"
    blocks = (_section(peer) for peer in peers if peer.provider == "wireguard")
    return head + "".join(blocks)


def ikev2_file(peers: Iterable[Peer], gateway: Ikev2) -> str:
    """Connections of swanctl.conf(5), one for each laptop, so that each gets its own address and no other.

    A certificate alone is not enough to come in: its laptop must have a connection here. The laptop asks for the
    networks of its profile, which is why the gateway offers all.
    """
    rules = edition(gateway.crypto).ikev2
    blocks = "".join(map(_connection, (peer for peer in peers if peer.provider == "ikev2")))
    return f"""# Written by mvpc vpn gateway. Load it: swanctl --load-all
mvpc-laptop {{
  version = 2
  proposals = {", ".join(rules.ike_proposals)}
  rekey_time = {rules.ike_life}
  dpd_delay = 30s
  unique = replace
  send_cert = always
  local {{
    auth = pubkey
    certs = gateway.pem
    id = {gateway.identity}
  }}
  remote {{
    auth = pubkey
    cacerts = mvpc-devices.pem
    revocation = strict
  }}
  children {{
    mvpc {{
      local_ts = 0.0.0.0/0, ::/0
      esp_proposals = {", ".join(rules.esp_proposals)}
      rekey_time = {rules.esp_life}
      dpd_action = clear
    }}
  }}
}}
{blocks}# end
"""


def difference(before: str, after: str) -> Difference:
    """Which laptops two states of a file differ in. What was not written by us counts as nothing."""
    old, new = (dict(_BLOCK.findall(text)) for text in (before, after))
    return Difference(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(name for name in new.keys() & old.keys() if new[name] != old[name])),
    )


def _section(peer: Peer) -> str:
    ranges = ", ".join(map(_host, peer.addresses))
    return f"{_MARK}{peer.device}\n[Peer]\nPublicKey = {peer.public_key}\nAllowedIPs = {ranges}\n"


def _connection(peer: Peer) -> str:
    """A connection and its pools of one address each. Sections of the same name are merged."""
    pools = {f"{peer.device}-{4 if '.' in each else 6}": each for each in peer.addresses}
    lines = "".join(f"  {name} {{\n    addrs = {_host(each)}\n  }}\n" for name, each in pools.items())
    return (
        f"{_MARK}{peer.device}\n"
        f"connections {{\n  {peer.device} : mvpc-laptop {{\n    pools = {', '.join(pools)}\n"
        f"    remote {{\n      id = {peer.device}\n    }}\n  }}\n}}\n"
        f"pools {{\n{lines}}}\n"
    )


def _host(address: str) -> str:
    return f"{address}/{32 if '.' in address else 128}"
