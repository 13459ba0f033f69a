"""The lab as a whole: up, down, and what lies between."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from mvpc.errors import InputError, LabError, NotFoundError
from mvpc.lab import gateway, radius
from mvpc.lab.air import Broadcast, Login, send_out
from mvpc.lab.cleanup import undo
from mvpc.lab.gateway import Gateway, admit, open_gateway
from mvpc.lab.host import check_requirements
from mvpc.lab.journal import Journal, Kind, Made
from mvpc.lab.kinds import PART
from mvpc.lab.laptop import Case, Laptop, LaptopSpec
from mvpc.lab.lock import one_at_a_time
from mvpc.lab.mirror import Mirror, ensure
from mvpc.lab.network import Network, cut_off, let_in, make_bridge
from mvpc.lab.power import OnStep, Power
from mvpc.lab.radius import Radius, Trust, open_radius
from mvpc.lab.servers import ServerAuthority
from mvpc.lab.services import Services
from mvpc.lab.setup import AdminKey, BuiltImage, apt_sources, prepare, read_image
from mvpc.lab.sysctl import raise_inotify_limit

HOME = Path("/var/lib/mvpc-lab")


def _silent(_: str) -> None:
    pass


def _has_its_files(_: Path) -> None:
    """A laptop that came up once was given its first files then."""


@dataclass(frozen=True, slots=True)
class Lab:
    """Disposable laptops on this machine.

    The state lies outside of any project, so that every `down` finds what any earlier `up` left. Two labs at a time
    need different homes, bridges and addresses.
    """

    home: Path = HOME
    bridge: str = "mvpc0"
    addresses: IPv4Network = field(default_factory=lambda: IPv4Network("10.77.0.0/24"))

    def __post_init__(self) -> None:
        # The path stands in mount options and in a configuration of nginx, which give other characters a meaning.
        if not re.fullmatch(r"/[A-Za-z0-9/_.+-]*", str(self.home)):
            raise InputError("the lab's folder must be an absolute path of plain characters", where=str(self.home))

    @property
    def network(self) -> Network:
        """The bridge and the addresses behind it."""
        return Network(self.bridge, self.addresses)

    @property
    def mirror(self) -> Mirror:
        """The caching mirror that the laptops take packages from."""
        return Mirror(folder=self.home / "mirror", cache=self.home / "cache", address=str(self.network.controller))

    def console(self, hostname: str) -> Path:
        """The log of a laptop's console."""
        return self._case(hostname).console

    def up(
        self,
        image: Path,
        laptops: Sequence[LaptopSpec],
        *,
        admin_key: str,
        on_step: OnStep,
        admin: str = "mvpc-admin",
    ) -> tuple[Laptop, ...]:
        """Make these laptops run: new ones are made, those that are off are switched on, others are left alone.

        Each is ready for SSH as `admin` with `admin_key` (a public key, as one line) when this returns. `on_step` is
        called from several threads.

        Raises:
            InputError: `admin_key` is no public key.
            LabError: names the laptop and the log. Laptops that did start keep running; `down` removes all.
        """
        key = AdminKey(admin, admin_key)
        check_requirements(*{PART[spec.kind] for spec in laptops})
        built = read_image(image)
        with self._changing():
            self._prepare_machine(built, on_step)
            cases = self._admit(laptops, built)
            with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
                return _all_or_error(list(pool.map(lambda case: self._bring_up(case, built, key, on_step), cases)))

    def start(self, hostname: str, *, on_step: OnStep = _silent) -> Laptop:
        """Switch a laptop on again, with the disk that it had; does nothing when it runs.

        Raises:
            LabError: there is no such laptop, its image was built again since, or it does not come up.
        """
        case = self._case(hostname)
        check_requirements(PART[case.read().kind])
        with self._changing():
            laptop = case.read()
            if not laptop.host_key:
                raise LabError(f"{hostname} has never come up", hint="Make it: mvpc lab up NUMBER")
            built = read_image(Path(laptop.image))
            self._prepare_machine(built, on_step)
            return self._power.on(case, built, on_step, _has_its_files)

    def stop(self, hostname: str) -> None:
        """Take the power away from a laptop. Its disk stays; `start` brings it back."""
        with self._changing():
            case = self._case(hostname)
            case.read()
            self._power.off(case)

    def down(self, hostnames: Collection[str] | None = None) -> None:
        """Remove laptops with their disks; without names the whole lab, whatever state a crash left it in.

        Only the mirror's cache stays. Does nothing where nothing is.

        Raises:
            LabError: names what could not be removed.
            NotFoundError: the lab has no laptop of a given name.
        """
        if not self.home.exists():
            return
        with self._changing():
            entries = self._journal.entries()
            unknown = sorted(set(hostnames or ()) - {made.owner for made in entries})
            if unknown:
                raise NotFoundError(f"the lab has no laptop {', '.join(unknown)}", where=str(self.home))
            undo(self._journal, [made for made in entries if hostnames is None or made.owner in hostnames])

    def list(self) -> tuple[Laptop, ...]:
        """Every laptop of the lab, in order of hostname."""
        # Not one glob for the records: it would pass over what this account may not read, as if it were not there.
        cases = [Case(path) for path in sorted(self.home.glob("laptops/*")) if (path / "laptop.json").is_file()]
        return tuple(self._power.state(case) for case in cases)

    def block(self, hostname: str) -> None:
        """Cut a running laptop off from the network; it keeps running and does not notice."""
        cut_off(self.network, self._case(hostname).read().address)

    def unblock(self, hostname: str) -> None:
        """Let a blocked laptop back in, at once."""
        let_in(self.network, self._case(hostname).read().address)

    def raise_gateway(self, peers: str = "", swanctl: Path | None = None) -> Gateway:
        """Make the gateway of the lab run, and let exactly these laptops in.

        Args:
            peers: `[Peer]` sections of WireGuard, wg(8).
            swanctl: the folder `swanctl` that `mvpc vpn gateway` wrote; without it nothing changes for IKEv2.

        Raises:
            InputError: a file is missing in the folder.
            LabError: it does not start; the message is its own.
        """
        check_requirements("gateway")
        with self._changing():
            make_bridge(self.network, self._journal)
            services = Services(gateway.OWNER, self.home / gateway.OWNER, self._journal)
            opened = open_gateway(self.network, services, self._server_authority())
            admit(opened, peers, swanctl)
            return opened

    def raise_radius(self, names: Sequence[str], trust: Trust) -> Radius:
        """Make the RADIUS server of the lab run, with a certificate of these names, and let exactly these laptops in.

        Raises:
            LabError: it does not start; the message is its own.
        """
        check_requirements("air")
        with self._changing():
            make_bridge(self.network, self._journal)
            services = Services(radius.OWNER, self.home / radius.OWNER, self._journal)
            return open_radius(self.network, services, self._server_authority(), names, trust)

    def send_out(self, hostname: str, broadcast: Broadcast, server: Radius, login: Login) -> None:
        """Make the access point of a virtual machine send out these networks, and no others.

        Raises:
            LabError: it does not run, is no virtual machine, or hostapd does not start there.
        """
        check_requirements("air")
        laptop = self._power.state(self._case(hostname))
        if laptop.kind != "vm" or not laptop.running:
            what = "is off" if laptop.kind == "vm" else "is a container, which has no air"
            raise LabError(f"{hostname} {what}", hint="Boot a virtual machine: mvpc lab up --vm 1")
        send_out(self._case(hostname), laptop, login, broadcast, server)

    def _server_authority(self) -> ServerAuthority:
        authority = ServerAuthority(self.home / "servers")
        self._journal.note(Made(Kind.FOLDER, str(authority.folder)))
        authority.make()
        return authority

    def _prepare_machine(self, built: BuiltImage, on_step: OnStep) -> None:
        raise_inotify_limit(self._journal, self.bridge)
        on_step(f"bridge {self.bridge}: {self.addresses}")
        make_bridge(self.network, self._journal)
        on_step(f"mirror: {', '.join(built.archives.values())}")
        self._journal.note(Made(Kind.FOLDER, str(self.mirror.folder)))
        ensure(self.mirror, built.archives, self._journal)

    def _admit(self, laptops: Sequence[LaptopSpec], built: BuiltImage) -> tuple[Case, ...]:
        """Give each new laptop a folder and an address."""
        known = {laptop.hostname: laptop for laptop in self.list()}
        taken = {laptop.address for laptop in known.values()}
        cases = {spec: self._case(spec.hostname) for spec in laptops}
        for spec, case in cases.items():
            if spec.hostname in known:
                continue
            address = str(self.network.free_address(taken))
            taken.add(address)
            self._journal.note(Made(Kind.FOLDER, str(case.folder), spec.hostname))
            case.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            laptop = Laptop(
                hostname=spec.hostname,
                kind=spec.kind,
                serial=spec.serial,
                address=address,
                image=str(built.path),
                build=built.build,
            )
            case.write(laptop)
        return tuple(cases.values())

    def _bring_up(self, case: Case, built: BuiltImage, key: AdminKey, on_step: OnStep) -> Laptop | LabError:
        """The running laptop, or why it does not run: one failure must not hide another."""

        def furnish(root: Path) -> None:
            on_step(f"{case.folder.name}: settings")
            prepare(root, case.read(), sources=apt_sources(built, self.mirror), key=key)

        try:
            return self._power.on(case, built, on_step, furnish)
        except LabError as error:
            return error

    def _case(self, hostname: str) -> Case:
        return Case(self.home / "laptops" / LaptopSpec(hostname).hostname)

    @property
    def _power(self) -> Power:
        return Power(self.network, self._journal)

    @property
    def _journal(self) -> Journal:
        return Journal(self.home / "journal.jsonl")

    def _changing(self) -> AbstractContextManager[None]:
        return one_at_a_time(self.home)


def _all_or_error(results: Sequence[Laptop | LabError]) -> tuple[Laptop, ...]:
    errors = [result for result in results if isinstance(result, LabError)]
    if errors:
        first = errors[0]
        first.problems = tuple(problem for error in errors for problem in error.problems)
        raise first
    return tuple(result for result in results if isinstance(result, Laptop))
