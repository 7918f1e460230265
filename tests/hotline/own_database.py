"""A fresh database for processes of their own: on PostgreSQL where the tests run there, else a file of SQLite.

Tests that have one are marked ``own_database`` (or ``browser``): without it nobody sees that they use a database.
"""

from __future__ import annotations

import os
import secrets
from urllib.parse import urlsplit, urlunsplit


def fresh_database(copy_of: str = "") -> str:
    """The address of a database that nobody has used yet, with what is in ``copy_of``, another one that nobody uses now. It goes
    with the server of the test run, or with the folder (of SQLite the file is the caller's to copy)."""
    server = os.environ.get("VIGIL_TEST_DATABASE")
    if not server:
        return "sqlite:///own.sqlite3"
    import psycopg

    name = f"own_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        model = f' TEMPLATE "{urlsplit(copy_of).path[1:]}"' if copy_of else ""
        connection.execute(f'CREATE DATABASE "{name}"{model}')
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
