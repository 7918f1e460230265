from django.apps import AppConfig


class Access(AppConfig):
    name = "vigil.hotline.access"
    label = "access"
