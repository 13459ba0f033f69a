"""Ask laptops how they are: one SSH connection, one program over stdin, one JSON answer. Nothing is changed there.

Host keys come from the inventory alone; there is no trust on first use. What a laptop answers is hostile until
`mvpc.device.parse_answer` has accepted it.
"""

from __future__ import annotations

import base64
import binascii
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from mvpc.device import FORMAT, Answer, parse_answer, program
from mvpc.errors import MvpcError
from mvpc.model import Device, Outcome, Probe, Reach
from mvpc.text import safe

CONNECT_SECONDS = 5
"""A laptop that is awake answers a TCP connection well within this time, even over a slow VPN."""
ANSWER_SECONDS = 60
"""The program itself takes about a second; a laptop that hangs must not hold up the others."""
ANSWER_BYTES = 1 << 20
COMMAND = "sudo -n /usr/bin/python3 -I -"


@dataclass(frozen=True, kw_only=True, slots=True)
class SshProber:
    """Asks many laptops at once; see `mvpc.rollout.Prober`."""

    user: str
    port: int
    key: Path
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    at_once: int = 48

    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        """Ask every device; yields answers as they come, one for each device.

        Raises:
            MvpcError: our own SSH key cannot be used.
        """
        if not devices:
            return
        key = _load_key(self.key)
        with ThreadPoolExecutor(max_workers=min(self.at_once, len(devices))) as pool:
            waiting = [pool.submit(self._ask, device, key) for device in devices]
            try:
                for done in as_completed(waiting):
                    yield done.result()
            finally:
                for future in waiting:
                    future.cancel()

    def _ask(self, device: Device, key: paramiko.PKey) -> Probe:
        try:
            answer = parse_answer(self._exchange(device, key))
        except _NotReachedError as reason:
            return self._unanswered(device, reason.reach, str(reason))
        except ValueError as error:
            return self._unanswered(device, Reach.BROKEN, f"its answer is no valid report: {error}")
        if answer.error:
            return self._unanswered(device, Reach.BROKEN, answer.error)
        return self._answered(device, answer)

    def _unanswered(self, device: Device, reach: Reach, detail: str) -> Probe:
        return Probe(device=device.hostname, at=self.now(), reach=reach, detail=safe(detail, limit=300))

    def _answered(self, device: Device, answer: Answer) -> Probe:
        return Probe(
            device=device.hostname,
            at=self.now(),
            reach=Reach.REACHED,
            generation=answer.generation,
            digests={part.name: part.digest for part in answer.components},
            drift={
                part.name: tuple(safe(change, limit=300) for change in part.changes)
                for part in answer.components
                if part.outcome != Outcome.UNCHANGED
            },
            facts=answer.facts,
        )

    def _exchange(self, device: Device, key: paramiko.PKey) -> str:
        """Send the program and return what it printed."""
        connection = _connect(device, self.port)
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            name = device.hostname if self.port == 22 else f"[{device.hostname}]:{self.port}"
            kind, host_key = _host_key(device)
            client.get_host_keys().add(name, kind, host_key)
            _log_in(client, device, self, key, connection)
            return _run(client, program(_question(device)))
        finally:
            client.close()
            connection.close()


def _question(device: Device) -> dict[str, object]:
    return {
        "format": FORMAT,
        "action": "probe",
        "device": device.hostname,
        "generation": 0,
        "diff": False,
        "components": [],
    }


class _NotReachedError(Exception):
    def __init__(self, reach: Reach, detail: str) -> None:
        super().__init__(detail)
        self.reach = reach


def _load_key(path: Path) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise MvpcError(
            "the SSH key of this controller cannot be used",
            where=str(path),
            hint="Set ssh.key in mvpc.toml to a private key without passphrase that the laptops accept",
        ) from error


def _connect(device: Device, port: int) -> socket.socket:
    try:
        return socket.create_connection((device.address or device.hostname, port), timeout=CONNECT_SECONDS)
    except OSError as error:
        raise _NotReachedError(Reach.UNREACHABLE, f"no answer on port {port} ({error.strerror or error})") from error


def _host_key(device: Device) -> tuple[str, paramiko.PKey]:
    try:
        kind, encoded = device.host_key.split()[:2]
        return kind, paramiko.PKey.from_type_string(kind, base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error, paramiko.SSHException, UnknownKeyType) as error:
        raise _NotReachedError(Reach.REFUSED, "the inventory holds no usable SSH host key for it") from error


def _log_in(
    client: paramiko.SSHClient, device: Device, login: SshProber, key: paramiko.PKey, connection: socket.socket
) -> None:
    try:
        client.connect(
            device.hostname,
            port=login.port,
            username=login.user,
            pkey=key,
            sock=connection,
            allow_agent=False,
            look_for_keys=False,
            banner_timeout=CONNECT_SECONDS * 2,
            auth_timeout=CONNECT_SECONDS * 4,
        )
    except paramiko.BadHostKeyException as error:
        raise _NotReachedError(
            Reach.REFUSED, "its SSH host key is not the one in the inventory: not the laptop we know"
        ) from error
    except paramiko.AuthenticationException as error:
        raise _NotReachedError(Reach.REFUSED, f"it does not let {login.user} in") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        if "not found in known_hosts" in str(error):
            reason = "it offers another kind of SSH host key than the inventory holds"
            raise _NotReachedError(Reach.REFUSED, reason) from error
        raise _NotReachedError(Reach.UNREACHABLE, f"SSH did not come up ({error})") from error


def _run(client: paramiko.SSHClient, text: str) -> str:
    """Run the program on the laptop; everything it says is bounded in size and time."""
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        stdin, stdout, stderr = client.exec_command(COMMAND, timeout=ANSWER_SECONDS)
        stdin.write(text)
        stdin.channel.shutdown_write()
        printed = _read(stdout, deadline)
        if stdout.channel.recv_exit_status() != 0 and not printed.strip():
            complaint = stderr.read(400).decode(errors="replace").strip()
            raise _NotReachedError(Reach.BROKEN, f"the program did not run: {complaint or 'no reason given'}")
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise _NotReachedError(
            Reach.BROKEN, f"the connection broke off ({str(error) or type(error).__name__})"
        ) from error
    return printed.decode(errors="replace")


def _read(stream: paramiko.ChannelFile, deadline: float) -> bytes:
    printed = bytearray()
    while chunk := stream.read(65536):
        printed += chunk
        if len(printed) > ANSWER_BYTES or time.monotonic() > deadline:
            raise _NotReachedError(Reach.BROKEN, "its answer is too long or too slow")
    return bytes(printed)


def make_key(path: Path, *, comment: str) -> str:
    """Make the controller's own SSH key unless it exists; returns the public key as one line.

    ECDSA on P-384, since BSI TR-02102-4 lists it and OpenSSH on laptops accepts it with every edition.

    Raises:
        MvpcError: the key can neither be read nor written.
    """
    if not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            paramiko.ECDSAKey.generate(bits=384).write_private_key_file(str(path))
        except OSError as error:
            raise MvpcError(f"the SSH key cannot be written ({error.strerror})", where=str(path)) from error
    key = _load_key(path)
    return f"{key.get_name()} {key.get_base64()} {comment}"
