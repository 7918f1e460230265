from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "vigil.hotline.approvals"
    label = "approvals"
    verbose_name = "Approvals"
