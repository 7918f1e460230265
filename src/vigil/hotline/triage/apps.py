from django.apps import AppConfig


class Triage(AppConfig):
    name = "vigil.hotline.triage"
    label = "triage"
