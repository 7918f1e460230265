from django.apps import AppConfig


class AssessmentsConfig(AppConfig):
    name = "vigil.hotline.assessments"
    label = "assessments"
    verbose_name = "Assessments"
