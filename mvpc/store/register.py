"""The register of certificates and enrolment tokens: what is issued, used up, revoked, refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from mvpc.errors import MvpcError
from mvpc.model import Arrival, Certificate, CertificateKind, Token
from mvpc.store import rows, tables
from mvpc.store.database import migrate, open_engine, writing
from mvpc.store.tables import table_of

_DEVICE = table_of(tables.DeviceRow)
_EVENT = table_of(tables.DeviceEventRow)
_CERTIFICATE = table_of(tables.CertificateRow)
_TOKEN = table_of(tables.EnrolmentTokenRow)
_ARRIVAL = table_of(tables.ArrivalRow)

SAME_REFUSAL = timedelta(minutes=1)
"""How long a refusal stands for further ones of the same laptop for the same reason."""


class Register:
    """The database, opened for writing. Each method is one transaction, with its entry in the device's history.

    Raises:
        MvpcError: (all methods) the database is damaged, in use, or written by a newer mvpc.
    """

    def __init__(self, path: Path, *, actor: str) -> None:
        migrate(path)
        self._path = path
        self._engine = open_engine(path)
        self._actor = actor

    def add_token(self, token: Token, *, at: datetime) -> None:
        """Keep a new token. Those that were made before for the same laptop are void."""
        with writing(self._engine, self._path) as connection:
            number = self._number(connection, token.device)
            older = update(_TOKEN).where(_TOKEN.c.device == number, _TOKEN.c.used_at.is_(None))
            connection.execute(older, {"used_at": rows.moment(at)})
            row = {"hash": token.hash, "serial": token.serial, "ressort": token.ressort}
            connection.execute(insert(_TOKEN), row | {"device": number, "expires": rows.moment(token.expires)})
            self._note(
                connection, number, "token", {"enrolment": ("", f"token until {rows.moment(token.expires)}")}, at
            )

    def use_token(self, token: Token, *, at: datetime) -> bool:
        """Use a token up; False when somebody else did so first."""
        unused = update(_TOKEN).where(_TOKEN.c.id == token.id, _TOKEN.c.used_at.is_(None))
        with writing(self._engine, self._path) as connection:
            return connection.execute(unused, {"used_at": rows.moment(at)}).rowcount == 1

    def refuse(self, hostname: str, reason: str, *, at: datetime) -> None:
        """Note in the history why a laptop was not enrolled.

        The same reason again within `SAME_REFUSAL` is not noted: anybody may come to the desk, as often as they like.
        """
        changes = {"enrolment": ("", f"refused: {reason}")}
        with writing(self._engine, self._path) as connection:
            number = self._number(connection, hostname)
            if not _says_so(connection, number, "refuse", rows.packed(changes), at):
                self._note(connection, number, "refuse", changes, at)

    def keep_arrival(self, arrival: Arrival) -> None:
        """Keep what a new laptop brought to the desk; what it brought before is void."""
        with writing(self._engine, self._path) as connection:
            number = self._number(connection, arrival.device)
            connection.execute(delete(_ARRIVAL).where(_ARRIVAL.c.device == number))
            connection.execute(insert(_ARRIVAL), rows.arrival_row(arrival, number))
            came = f"came to the desk from {arrival.address}"
            self._note(connection, number, "arrive", {"enrolment": ("", came)}, arrival.at)

    def forget_arrival(self, hostname: str) -> None:
        """Forget what a laptop brought, since it was decided."""
        with writing(self._engine, self._path) as connection:
            number = self._number(connection, hostname)
            connection.execute(delete(_ARRIVAL).where(_ARRIVAL.c.device == number))

    def record(self, certificates: Sequence[Certificate], *, at: datetime, action: str) -> None:
        """Keep certificates that were issued, all or none."""
        if not certificates:
            return
        with writing(self._engine, self._path) as connection:
            numbers = self._numbers(connection)
            new = [rows.certificate_row(each, numbers.get(each.device), self._actor) for each in certificates]
            connection.execute(insert(_CERTIFICATE), new)
            for device in dict.fromkeys(each.device for each in certificates if each.device):
                issued = {str(each.kind): ("", _words(each)) for each in certificates if each.device == device}
                self._note(connection, numbers[device], action, issued, at)

    def revoke(self, certificates: Iterable[Certificate], reason: str, *, at: datetime) -> None:
        """Revoke certificates. Those that were revoked before keep their date and reason."""
        with writing(self._engine, self._path) as connection:
            numbers = self._numbers(connection)
            revoked: dict[str, dict[str, tuple[str, str]]] = {}
            for each in certificates:
                here = (_CERTIFICATE.c.kind == str(each.kind)) & (_CERTIFICATE.c.serial == each.serial)
                fresh = update(_CERTIFICATE).where(here, _CERTIFICATE.c.revoked_at.is_(None))
                done = connection.execute(fresh, {"revoked_at": rows.moment(at), "reason": reason})
                if done.rowcount and each.device:
                    revoked.setdefault(each.device, {})[f"{each.kind} {each.serial[:16]}"] = (
                        "valid",
                        f"revoked: {reason}",
                    )
            for device, changes in revoked.items():
                self._note(connection, numbers[device], "revoke", changes, at)

    def _note(
        self, connection: Connection, number: int, action: str, changes: dict[str, tuple[str, str]], at: datetime
    ) -> None:
        entry = {"device": number, "at": rows.moment(at), "actor": self._actor, "action": action}
        connection.execute(insert(_EVENT), entry | {"changes": rows.packed(changes)})

    def _number(self, connection: Connection, hostname: str) -> int:
        number = connection.execute(select(_DEVICE.c.number).where(_DEVICE.c.hostname == hostname)).scalar()
        if number is None:
            raise MvpcError(f"{hostname} is not in the inventory any more", where=str(self._path))
        return int(number)

    def _numbers(self, connection: Connection) -> dict[str, int]:
        query = select(_DEVICE.c.hostname, _DEVICE.c.number)
        return {row.hostname: row.number for row in connection.execute(query)}


def _says_so(connection: Connection, number: int, action: str, changes: str, at: datetime) -> bool:
    """Whether the newest entry in a device's history is the same, and younger than `SAME_REFUSAL`."""
    newest = select(_EVENT).where(_EVENT.c.device == number).order_by(_EVENT.c.id.desc()).limit(1)
    last = connection.execute(newest).one_or_none()
    if last is None or (last.action, last.changes) != (action, changes):
        return False
    return abs(at - datetime.fromisoformat(last.at)) < SAME_REFUSAL


def _words(certificate: Certificate) -> str:
    kind = "key" if certificate.kind is CertificateKind.DEVICE else "host key"
    place = " in its TPM" if certificate.in_tpm else ""
    until = f"{certificate.not_after:%Y-%m-%d}"
    return f"{certificate.serial[:16]} until {until} for {kind} {certificate.fingerprint[:16]}{place}"
