from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SellersConfig(AppConfig):
    name = "sellers"
    verbose_name = _("Sellers")

    def ready(self):
        """allauth tells of verified addresses and sign-ins by signals and by nothing else."""
        from allauth.account.signals import email_confirmed
        from django.contrib.auth.signals import user_logged_in

        from sellers import signing_in

        email_confirmed.connect(signing_in.on_address_verified, dispatch_uid="sellers.on_address_verified")
        user_logged_in.connect(signing_in.on_signed_in, dispatch_uid="sellers.on_signed_in")
