"""PostgreSQL learns that the status and the outcome of a case say whether it is open.

Taken as independent, few cases would seem to be open and new at once, and the queue would be read whole and sorted instead of
being read from its index until the page is full.
"""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NAME = "reports_standing"


def learn(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(f"CREATE STATISTICS {NAME} (dependencies, mcv) ON is_open, status, outcome FROM reports_report")
        editor.execute("ANALYZE reports_report")


def forget(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(f"DROP STATISTICS {NAME}")


class Migration(migrations.Migration):

    dependencies = [("reports", "0009_few_are_taken")]

    operations = [migrations.RunPython(learn, forget, elidable=False)]
