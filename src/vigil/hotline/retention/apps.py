from django.apps import AppConfig


class Retention(AppConfig):
    name = "vigil.hotline.retention"
    label = "retention"
