from django.apps import AppConfig


class Compartments(AppConfig):
    name = "vigil.hotline.compartments"
    label = "compartments"
