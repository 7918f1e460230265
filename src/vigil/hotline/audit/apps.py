from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class Audit(AppConfig):
    name = "vigil.hotline.audit"
    label = "audit"

    def ready(self) -> None:
        """Read the codes of every room: the log is shown by processes that never write some of them."""
        autodiscover_modules("codes")
