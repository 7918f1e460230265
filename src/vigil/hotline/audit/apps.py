from django.apps import AppConfig


class Audit(AppConfig):
    name = "vigil.hotline.audit"
    label = "audit"
