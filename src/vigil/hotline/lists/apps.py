from django.apps import AppConfig


class Lists(AppConfig):
    name = "vigil.hotline.lists"
    label = "lists"
