from django.apps import AppConfig


class Reports(AppConfig):
    name = "vigil.hotline.reports"
    label = "reports"
