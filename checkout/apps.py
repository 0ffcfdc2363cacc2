from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CheckoutConfig(AppConfig):
    name = "checkout"
    verbose_name = _("Checkout")

    def ready(self):
        from django.contrib.auth.signals import user_logged_in

        from checkout import checks  # noqa: F401 (registers itself)
        from checkout.signing_in import keep_cart

        user_logged_in.connect(keep_cart, dispatch_uid="checkout.keep_cart")
