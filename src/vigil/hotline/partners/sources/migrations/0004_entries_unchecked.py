"""Rows of entries are written without a check of each; sealed pages, which no compression makes smaller, without trying to."""

import django.db.models.deletion
from django.db import migrations, models


def store_as_it_is(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE sources_importedpage ALTER COLUMN content SET STORAGE EXTERNAL")


def store_as_before(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE sources_importedpage ALTER COLUMN content SET STORAGE EXTENDED")


class Migration(migrations.Migration):
    dependencies = [("sources", "0003_source_damaged")]

    operations = [
        migrations.AlterField(
            model_name="importedentry",
            name="source",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="entries",
                to="sources.source",
            ),
        ),
        migrations.AlterField(
            model_name="importedentry",
            name="page",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="sources.importedpage",
            ),
        ),
        migrations.RunPython(store_as_it_is, store_as_before),
    ]
