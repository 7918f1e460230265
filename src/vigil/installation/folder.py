"""Where the files of an installation lie. Nothing else in Vigil guesses a path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from vigil.base.errors import InputError

PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The data folder of one installation.

    ``hotline.toml``  configuration of the case system        ``secrets/``   keys of sessions and sealed fields
    ``edge.toml``     configuration of the edge node           ``keys/``      signing keys, for the list office only
    ``vigil.sqlite3`` the database, unless PostgreSQL is used  ``editions/``  the published editions
    ``edge/``         what the edge node keeps                 ``logs/``      one file a process
    ``audit.key``     signs tree heads of the audit log, for the list office only; its public half is ``audit.key.pub``
    ``demo.json``     there only in a demo: its logins
    """

    root: Path

    @property
    def hotline_config(self) -> Path:
        return self.root / "hotline.toml"

    @property
    def edge_config(self) -> Path:
        return self.root / "edge.toml"

    @property
    def database(self) -> Path:
        return self.root / "vigil.sqlite3"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def audit_key(self) -> Path:
        return self.root / "audit.key"

    @property
    def root_of_trust(self) -> Path:
        """The public root metadata, as an edge node elsewhere would be handed it in person."""
        return self.root / "1.root.json"

    @property
    def editions(self) -> Path:
        return self.root / "editions"

    @property
    def edge_state(self) -> Path:
        return self.root / "edge"

    @property
    def node_token(self) -> Path:
        return self.secrets / "edge-node.token"

    @property
    def banks_token(self) -> Path:
        return self.secrets / "banks.token"

    @property
    def curator_token(self) -> Path:
        return self.secrets / "banks-curator.token"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def demo(self) -> Path:
        return self.root / "demo.json"

    @property
    def lock(self) -> Path:
        return self.root / "up.lock"

    @property
    def prepared(self) -> bool:
        """True once an earlier start has written the configuration."""
        return self.hotline_config.exists() and self.edge_config.exists()

    def create(self) -> None:
        """Make the folder and its private parts; an existing one is kept. InputError where that cannot be done."""
        try:
            for folder in (self.root, self.secrets, self.edge_state, self.logs):
                folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            self.root.chmod(PRIVATE)
            self.secrets.chmod(PRIVATE)
            self.editions.mkdir(exist_ok=True)
        except OSError as error:
            raise self._unusable(f"The data folder cannot be used: {error.strerror}.") from error
        if not os.access(self.root, os.W_OK):
            raise self._unusable("The data folder cannot be written.")

    def _unusable(self, what: str) -> InputError:
        return InputError("data_folder", what, where=str(self.root), mend="Choose another with --data.")
