from django.apps import AppConfig


class Partners(AppConfig):
    name = "vigil.hotline.partners"
    label = "partners"
