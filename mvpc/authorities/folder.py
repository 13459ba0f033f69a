"""The folder of the three authorities. It is made whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mvpc.authorities.keyfiles import checked_passphrase, decrypted, encrypted
from mvpc.editions import CertificateRules
from mvpc.errors import InputError, MvpcError
from mvpc.identity.chain import read_chain
from mvpc.identity.keys import CURVES
from mvpc.identity.ssh import SshAuthority, public_line
from mvpc.identity.x509 import DeviceAuthority, authority_request, certify_oneself
from mvpc.model import CertificateKind
from mvpc.secret import Secret

AUTHORITIES: Mapping[str, CertificateKind] = {
    "devices": CertificateKind.DEVICE,
    "ssh-hosts": CertificateKind.SSH_HOST,
    "ssh-users": CertificateKind.SSH_USER,
}
"""Name of each authority -> what it certifies."""


@dataclass(frozen=True, kw_only=True)
class Authorities:
    """The authorities of one project. Private keys are decrypted when they are first needed, and only then."""

    folder: Path
    rules: CertificateRules
    crl_url: str
    ask: Callable[[], Secret]
    """Where the passphrase comes from; called once."""

    @property
    def exist(self) -> bool:
        """Whether they have been made."""
        return self.folder.is_dir()

    def make(self, name: str, *, now: datetime) -> None:
        """Make all three, named after the organisation.

        Raises:
            InputError: there are some already, or the passphrase is too short.
            MvpcError: the folder cannot be written, or openssl does not work.
        """
        if self.exist:
            hint = "They are what every enrolled laptop trusts. To look at them: mvpc ca show"
            raise InputError("there are authorities already", where=str(self.folder), hint=hint)
        passphrase = checked_passphrase(self._passphrase)
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".ca-", dir=self.folder.parent))
        try:
            for authority in AUTHORITIES:
                key = ec.generate_private_key(CURVES[self.rules.authority_curve]())
                _write(fresh / f"{authority}.key", encrypted(key, passphrase), mode=0o600)
                for file, content in self._public_files(authority, key, name, now=now).items():
                    _write(fresh / file, content.encode(), mode=0o644)
            fresh.rename(self.folder)
        except OSError as error:
            raise MvpcError(f"the authorities cannot be written ({error.strerror})", where=str(self.folder)) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    @cached_property
    def devices(self) -> DeviceAuthority:
        """The authority of device certificates; asks for the passphrase."""
        certificate = self.chain[0]
        return DeviceAuthority(
            key=self._key("devices"), certificate=certificate, rules=self.rules, crl_url=self.crl_url
        )

    @cached_property
    def ssh_hosts(self) -> SshAuthority:
        """The authority of SSH host certificates; asks for the passphrase."""
        return SshAuthority(key=self._key("ssh-hosts"), rules=self.rules)

    @cached_property
    def ssh_users(self) -> SshAuthority:
        """The authority of SSH user certificates; asks for the passphrase."""
        return SshAuthority(key=self._key("ssh-users"), rules=self.rules)

    @cached_property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificate of the device authority and those above it."""
        try:
            return tuple(x509.load_pem_x509_certificates(self._read("devices.pem").encode()))
        except ValueError as error:
            where = str(self.folder / "devices.pem")
            raise MvpcError("the certificate of the device authority is damaged", where=where) from error

    @property
    def chain_pem(self) -> str:
        """The same as PEM."""
        return "".join(each.public_bytes(Encoding.PEM).decode() for each in self.chain)

    def public_key(self, authority: str) -> str:
        """Public key of an SSH authority, one line."""
        return self._read(f"{authority}.pub").strip()

    def request(self) -> str:
        """A request (PEM) with which a superior authority can certify the device authority."""
        name = self.chain[0].subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        return authority_request(self._key("devices"), str(name), self.rules)

    def accept(self, data: bytes, *, now: datetime, renamed: bool) -> None:
        """Replace the certificate of the device authority by one from a superior authority, with those above it.

        `renamed` says whether it may give the authority another name, which certificates that it issued do not know.

        Raises:
            InputError: it is for another key, may not certify, is not valid, does not fit together, or is renamed.
        """
        key = self.chain[0].public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)  # noqa: S101 - we made it
        try:
            chain = read_chain(data, key, now=now)
        except ValueError as error:
            hint = "Put the new certificate and all above it into one file; extensions belong in as the request asks"
            raise InputError(f"the certificate cannot be used: {error}", hint=hint) from error
        before, after = (each.subject.rfc4514_string() for each in (self.chain[0], chain[0]))
        if before != after and not renamed:
            what = f"the certificate names {after}, but laptops have certificates from {before}"
            raise InputError(what, hint="Have it made with the name of the request: mvpc ca export devices --request")
        text = "".join(each.public_bytes(Encoding.PEM).decode() for each in chain)
        fresh = self.folder / ".devices.pem.new"
        fresh.unlink(missing_ok=True)
        _write(fresh, text.encode(), mode=0o644)
        fresh.replace(self.folder / "devices.pem")

    def _public_files(
        self, authority: str, key: ec.EllipticCurvePrivateKey, name: str, *, now: datetime
    ) -> dict[str, str]:
        if authority != "devices":
            return {f"{authority}.pub": f"{public_line(key.public_key())} {name} {authority}\n"}
        made = certify_oneself(key, f"{name} devices", self.rules, now=now)
        return {"devices.pem": made.public_bytes(Encoding.PEM).decode()}

    def _key(self, authority: str) -> ec.EllipticCurvePrivateKey:
        self.check()
        return decrypted(self.folder / f"{authority}.key", self._passphrase)

    @cached_property
    def _passphrase(self) -> Secret:
        return self.ask()

    def check(self) -> None:
        """Raises MvpcError when there are no authorities yet."""
        if not self.exist:
            raise MvpcError("there are no certificate authorities yet", hint="Make them: mvpc ca init")

    def _read(self, name: str) -> str:
        self.check()
        path = self.folder / name
        try:
            return path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise MvpcError(
                "a file of the authorities cannot be read", where=str(path), hint="Put it back from a backup"
            ) from error


def _write(path: Path, content: bytes, *, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
