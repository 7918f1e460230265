from django.apps import AppConfig


class Statistics(AppConfig):
    name = "vigil.hotline.statistics"
    label = "statistics"
