from django.apps import AppConfig


class SchemesConfig(AppConfig):
    name = "vigil.hotline.schemes"
    label = "schemes"
    verbose_name = "Schemes"
