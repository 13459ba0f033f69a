"""Queries about certificates, tokens and new laptops; part of `store.read.Reader`. Only the standard library."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from pathlib import Path

from mvpc.model import Arrival, Certificate, Token
from mvpc.store import rows, schema


class CertificateQueries:
    """What the register knows."""

    _path: Path
    _connection: sqlite3.Connection

    def certificates(self, hostnames: Collection[str] | None = None) -> tuple[Certificate, ...]:
        """All certificates, oldest first; of these devices alone when some are named."""
        query = (
            "SELECT hostname, found.* FROM certificate AS found LEFT JOIN device ON number = found.device "
            "WHERE :names IS NULL OR hostname IN (SELECT value FROM json_each(:names)) ORDER BY not_before, found.rowid"
        )
        names = None if hostnames is None else json.dumps(list(hostnames))
        with schema.in_words(self._path):
            return tuple(rows.certificate(row) for row in self._connection.execute(query, {"names": names}))

    def current_certificates(self, hostnames: Collection[str] | None = None) -> tuple[Certificate, ...]:
        """Of each device and kind the certificate that holds longest; revoked ones do not count."""
        # With max() SQLite takes the other columns from the row that has it (lang_select.html, 2.4).
        query = (
            "SELECT hostname, found.*, max(not_after) AS longest FROM certificate AS found "
            "JOIN device ON number = found.device WHERE revoked_at IS NULL "
            "AND (:names IS NULL OR hostname IN (SELECT value FROM json_each(:names))) GROUP BY found.device, kind"
        )
        names = None if hostnames is None else json.dumps(list(hostnames))
        with schema.in_words(self._path):
            return tuple(rows.certificate(row) for row in self._connection.execute(query, {"names": names}))

    def revoked(self) -> tuple[Certificate, ...]:
        """All certificates that were revoked, oldest first."""
        query = (
            "SELECT hostname, found.* FROM certificate AS found LEFT JOIN device ON number = found.device "
            "WHERE revoked_at IS NOT NULL ORDER BY revoked_at, found.rowid"
        )
        with schema.in_words(self._path):
            return tuple(rows.certificate(row) for row in self._connection.execute(query))

    def token(self, hostname: str) -> Token | None:
        """The newest enrolment token of one device, used or not."""
        query = (
            "SELECT hostname, token.* FROM enrolment_token AS token JOIN device ON number = token.device "
            "WHERE hostname = ? ORDER BY token.id DESC LIMIT 1"
        )
        with schema.in_words(self._path):
            row = self._connection.execute(query, (hostname,)).fetchone()
            return rows.token(row) if row else None

    def arrivals(self) -> tuple[Arrival, ...]:
        """New laptops that wait for a person to compare their keys, in the order in which they came."""
        query = "SELECT hostname, found.* FROM arrival AS found JOIN device ON number = found.device ORDER BY at"
        with schema.in_words(self._path):
            return tuple(rows.arrival(row) for row in self._connection.execute(query))
