"""The Django application that brings the shared templates and tags."""

from django.apps import AppConfig


class DesignConfig(AppConfig):
    name = "vigil.hotline.doors.design"
    label = "design"
    verbose_name = "Design system"
