from django.apps import AppConfig


class WelfareConfig(AppConfig):
    name = "vigil.hotline.welfare"
    label = "welfare"
    verbose_name = "Welfare"
