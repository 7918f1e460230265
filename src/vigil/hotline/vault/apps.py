from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "vigil.hotline.vault"
    label = "vault"
    verbose_name = "Vault"
