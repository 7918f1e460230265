"""The rows of the reports room."""

from vigil.hotline.reports.models.bucket import TokenBucket
from vigil.hotline.reports.models.capture import Capture, Hash, Media, Sighting
from vigil.hotline.reports.models.report import Draft, Report, Submission, Url

__all__ = ["Capture", "Draft", "Hash", "Media", "Report", "Sighting", "Submission", "TokenBucket", "Url"]
