"""The rows of the reports room."""

from vigil.hotline.reports.models.arrival import IdempotencyKey, ImportedMail
from vigil.hotline.reports.models.bucket import TokenBucket
from vigil.hotline.reports.models.capture import AccessRecipe, Capture, CaptureBasis, Hash, Media, Sighting
from vigil.hotline.reports.models.child import ChildCase
from vigil.hotline.reports.models.contact import ReporterContact
from vigil.hotline.reports.models.report import Draft, Report, Submission, Url

__all__ = [
    "AccessRecipe",
    "Capture",
    "CaptureBasis",
    "ChildCase",
    "Draft",
    "Hash",
    "IdempotencyKey",
    "ImportedMail",
    "Media",
    "Report",
    "ReporterContact",
    "Sighting",
    "Submission",
    "TokenBucket",
    "Url",
]
