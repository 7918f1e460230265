"""A fresh database for processes of their own: on PostgreSQL where the tests run there, else a file of SQLite.

Tests that have one are marked ``own_database`` (or ``browser``): without it nobody sees that they use a database.
"""

from __future__ import annotations

import os
import secrets
from urllib.parse import urlsplit, urlunsplit


def fresh_database() -> str:
    """The address of a database that nobody has used yet. It goes with the server of the test run, or with the folder."""
    server = os.environ.get("VIGIL_TEST_DATABASE")
    if not server:
        return "sqlite:///own.sqlite3"
    import psycopg

    name = f"own_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
