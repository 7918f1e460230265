from django.apps import AppConfig


class Sources(AppConfig):
    name = "vigil.hotline.partners.sources"
    label = "sources"
