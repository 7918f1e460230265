from django.apps import AppConfig


class Exchange(AppConfig):
    name = "vigil.hotline.lists.exchange"
    label = "exchange"
