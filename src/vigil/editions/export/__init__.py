"""Lists in the forms that other software reads. One file for each format; :mod:`registry` knows them all."""

from vigil.editions.export.model import Exported, Format, Leftover, Occasion, Reason, leftovers_csv
from vigil.editions.export.registry import FORMATS, export_as, format_named

__all__ = [
    "FORMATS",
    "Exported",
    "Format",
    "Leftover",
    "Occasion",
    "Reason",
    "export_as",
    "format_named",
    "leftovers_csv",
]
