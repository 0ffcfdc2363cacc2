"""Settings under which nothing could be sold."""

from django.core.checks import Error, Tags, register

from checkout.gateway import provider_in_use


@register(Tags.security, deploy=True)
def check_payments_are_possible(app_configs, **kwargs):
    if provider_in_use():
        return []
    return [
        Error(
            "No payment provider is set up, so nothing can be paid for.",
            hint="Set TOSS_CLIENT_KEY and TOSS_SECRET_KEY, or TOSS_SANDBOX=1 for a trial shop that moves no money.",
            id="checkout.E001",
        )
    ]
