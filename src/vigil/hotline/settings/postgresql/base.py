"""The database backend of an installation on PostgreSQL (Django loads the name ``base`` of the package that ENGINE names).

Django asks the database "are you there?" before each request that finds a connection of an earlier one. A connection that the
server ended (restart, failover, an administrator) says so by itself: its socket can be read from while nobody asked anything.
Only such a one is asked; a quiet one is believed, which spares each request of a door a way to the database and back.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's, but for how a kept connection is tested."""

    def is_usable(self) -> bool:
        """Whether the connection can be used: quiet, or it answers."""
        return _quiet(self.connection) or bool(super().is_usable())


def _quiet(connection: Any) -> bool:
    """Whether ``connection`` is open and nothing came on it that nobody asked for."""
    if connection is None or connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)
