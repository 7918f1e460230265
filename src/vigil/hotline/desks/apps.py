from django.apps import AppConfig


class Desks(AppConfig):
    name = "vigil.hotline.desks"
    label = "desks"
