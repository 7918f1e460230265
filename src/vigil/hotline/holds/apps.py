from django.apps import AppConfig


class HoldsConfig(AppConfig):
    name = "vigil.hotline.holds"
    label = "holds"
    verbose_name = "Holds"
