"""A connection that is kept between requests: nothing is asked while it is quiet; one that the server ended is replaced."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from vigil.hotline.settings.databases import database


def test_postgresql_is_reached_by_our_backend() -> None:
    assert database("postgresql://vigil@db.example:5432/vigil")["ENGINE"] == "vigil.hotline.settings.postgresql"


@pytest.mark.django_db(transaction=True)
def test_a_quiet_connection_is_believed_and_an_ended_one_is_replaced() -> None:
    if connection.vendor == "postgresql":  # SQLite has no connection that somebody else could end
        first = next_request()
        with CaptureQueriesContext(connection) as asked:
            assert next_request() == first
        assert len(asked) == 1 and connection.is_usable()
        end(first)
        assert not connection.is_usable()
        assert next_request() != first


def next_request() -> int:
    """What a door does between requests, then a question: the process of the server that answered it."""
    connection.close_at = None  # tests keep no connection; doors do
    connection.health_check_enabled, connection.health_check_done = True, False
    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        number: int = cursor.fetchone()[0]
    return number


def end(process: int) -> None:
    """What a restart or an administrator does to a connection."""
    import psycopg

    with psycopg.connect(os.environ["VIGIL_TEST_DATABASE"], autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
