from django.apps import AppConfig


class Banks(AppConfig):
    name = "vigil.hotline.banks"
    label = "banks"
