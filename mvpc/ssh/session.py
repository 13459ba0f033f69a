"""One SSH session: log in as the inventory says, run the device program, read what it prints within bounds."""

from __future__ import annotations

import logging
import re
import socket
import struct
import time
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from mvpc.device import PYTHON
from mvpc.errors import MvpcError
from mvpc.identity.ssh import outdated
from mvpc.model import NO_LOGIN, Device, Reach
from mvpc.ssh.calls import CONNECT_SECONDS
from mvpc.ssh.trust import DistrustedError, HostAuthority, HostTrust

GREETING_SECONDS = 10
"""For sshd to say its name, and for each step of the login; a laptop that just woke up is slow."""
ANSWER_SECONDS = 60
"""The program itself takes about a second; a laptop that hangs must not hold up the others."""
ANSWER_BYTES = 1 << 20
_GREETING_AGAIN_SECONDS = 5
"""For a laptop that answered before, to tell one that hangs from one that has gone."""
COMMAND = f"sudo -n {PYTHON}"
_TCP_INFO = struct.Struct("=100xI32xI")
"""tcpi_total_retrans and tcpi_segs_out of struct tcp_info (linux/tcp.h, tcp(7))."""

# Without a handler Python prints what paramiko logs: a traceback for every laptop whose sshd hangs.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """How mvpc logs in on every laptop."""

    user: str
    port: int
    key: paramiko.PKey
    authority: HostAuthority | None = None
    """Whose host certificates are believed beside the host keys of the inventory."""


class NotReachedError(Exception):
    """How far we came, and why no further."""

    def __init__(self, reach: Reach, detail: str) -> None:
        super().__init__(detail)
        self.reach = reach


def exchange(
    device: Device, login: Login, connection: socket.socket, program: str, *, seconds: int = ANSWER_SECONDS
) -> str:
    """Send the program over a new connection; what it printed within so many seconds, or NotReachedError."""
    client = paramiko.SSHClient()
    try:
        trust = HostTrust(device, login.authority)
        client.set_missing_host_key_policy(trust)
        _log_in(client, device, login, connection, trust)
        return _run(client, program, connection, seconds)
    except DistrustedError as error:
        raise NotReachedError(Reach.REFUSED, str(error)) from error
    finally:
        client.close()
        connection.close()


def connect(device: Device, port: int) -> socket.socket:
    """A connection to a laptop, whose name may have to be looked up; raises NotReachedError."""
    try:
        return socket.create_connection((device.address or device.hostname, port), timeout=CONNECT_SECONDS)
    except OSError as error:
        raise NotReachedError(Reach.UNREACHABLE, silence(port, error)) from error


def silence(port: int, error: OSError) -> str:
    """What a connection that did not come about tells."""
    return f"no answer on port {port} ({error.strerror or error})"


def load_key(path: Path, *, now: datetime) -> paramiko.PKey:
    """Our own private key, with its user certificate where one lies beside it and holds.

    Raises:
        MvpcError: it cannot be used.
    """
    try:
        key = paramiko.PKey.from_path(path)  # takes a certificate along, also one that has run out
        if key.public_blob and outdated(certificate_path(path).read_text(encoding="ascii"), now=now):
            return _alone(key)
        return key
    except (OSError, ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise MvpcError(
            "the SSH key of this controller cannot be used",
            where=str(path),
            hint="Set ssh.key in mvpc.toml to a private key without passphrase that the laptops accept",
        ) from error


def _log_in(
    client: paramiko.SSHClient, device: Device, login: Login, connection: socket.socket, trust: HostTrust
) -> None:
    try:
        client.connect(
            device.hostname,
            port=login.port,
            username=login.user,
            pkey=login.key,
            sock=connection,
            allow_agent=False,
            look_for_keys=False,
            banner_timeout=GREETING_SECONDS,
            auth_timeout=GREETING_SECONDS * 2,
            transport_factory=trust.transport,
        )
    except DistrustedError:
        raise
    except paramiko.AuthenticationException as error:
        if not _let_in_by_key(client.get_transport(), login):
            raise _kept_out(login, error) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer) and "host key" in str(error):
            reason = "it offers another kind of SSH host key than the inventory holds"
            raise NotReachedError(Reach.REFUSED, reason) from error
        raise NotReachedError(Reach.UNREACHABLE, f"SSH did not come up ({error})") from error


def _kept_out(login: Login, error: paramiko.AuthenticationException) -> NotReachedError:
    """A laptop that did not say no has fallen silent; paramiko calls both a failed login."""
    if re.search("timeout|EOF", str(error)):
        return NotReachedError(Reach.UNREACHABLE, f"SSH did not come up ({error})")
    return NotReachedError(Reach.REFUSED, f"{NO_LOGIN} {login.user} in")


def _let_in_by_key(transport: paramiko.Transport | None, login: Login) -> bool:
    """Try the key without its certificate, as ssh(1) does: a laptop that is not enrolled knows no user authority."""
    if not transport or not login.key.public_blob:
        return False
    try:
        transport.auth_publickey(login.user, _alone(login.key))
    except (paramiko.SSHException, OSError, EOFError):
        return False
    return True


def _alone(key: paramiko.PKey) -> paramiko.PKey:
    """The key without its certificate; the other one is shared by threads."""
    alone = copy(key)
    alone.public_blob = None
    return alone


def _run(client: paramiko.SSHClient, text: str, connection: socket.socket, seconds: int = ANSWER_SECONDS) -> str:
    """Run the program on the laptop; everything it says is bounded in size and time."""
    laptop = connection.getpeername()[:2]  # paramiko closes the connection when it breaks off
    try:
        stdin, stdout, stderr = client.exec_command(COMMAND, timeout=seconds)
        stdin.write(text)
        stdin.channel.shutdown_write()
        printed = _read(stdout, time.monotonic() + seconds)
        if stdout.channel.recv_exit_status() != 0 and not printed.strip():
            complaint = stderr.read(400).decode(errors="replace").strip()
            raise NotReachedError(Reach.BROKEN, f"the program did not run: {complaint or 'no reason given'}")
    except TimeoutError as error:
        raise _silence(connection, laptop, f"it let us in, but gave no answer within {seconds} s") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise _silence(
            connection, laptop, f"the connection broke off ({str(error) or type(error).__name__})"
        ) from error
    return printed.decode(errors="replace")


def _read(stream: paramiko.ChannelFile, deadline: float) -> bytes:
    """All that comes until then; raises TimeoutError."""
    printed = bytearray()
    while chunk := stream.read(65536):
        printed += chunk
        if len(printed) > ANSWER_BYTES:
            raise NotReachedError(Reach.BROKEN, f"its answer is longer than {ANSWER_BYTES >> 20} MiB")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(printed)


def _silence(connection: socket.socket, laptop: tuple[str, int], detail: str) -> NotReachedError:
    """A laptop that let us in and then fell silent: it is broken where the way to it is sound, else it has gone."""
    sound = not _loses_packets(connection) and _greets(laptop)
    return NotReachedError(Reach.BROKEN if sound else Reach.UNREACHABLE, detail)


def _loses_packets(connection: socket.socket) -> bool:
    """Whether every tenth segment or more had to be sent again: answers then take minutes, whatever the laptop does."""
    try:
        known = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return False
    again, sent = _TCP_INFO.unpack(known)
    return bool(again * 10 >= sent)


def _greets(laptop: tuple[str, int]) -> bool:
    """Whether its sshd answers somebody who calls anew."""
    try:
        with socket.create_connection(laptop, timeout=_GREETING_AGAIN_SECONDS) as another:
            return another.recv(4) == b"SSH-"
    except OSError:
        return False


def certificate_path(key: Path) -> Path:
    """Where the user certificate of a private key lies, as ssh(1) looks for it."""
    return key.with_name(f"{key.name}-cert.pub")


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
    key = load_key(path, now=datetime.now(tz=UTC))
    return f"{key.get_name()} {key.get_base64()} {comment}"
