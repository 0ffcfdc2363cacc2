"""Settings under which nothing could be sold, or money could go wrong. No message ever shows a key."""

from django.conf import settings
from django.core import checks
from django.core.checks import Error, Tags, register

from checkout.gateway import provider_in_use
from checkout.toss_keys import is_safe_address, key_kind

SIDES = {"TOSS_CLIENT_KEY": "client", "TOSS_SECRET_KEY": "secret"}
PREFIXES = {
    "client": "test_ck_, live_ck_, test_gck_ or live_gck_",
    "secret": "test_sk_, live_sk_, test_gsk_ or live_gsk_",
}


@register(Tags.security)
def check_payment_keys(app_configs, **kwargs):
    keys = {name: getattr(settings, name) for name in SIDES}
    given = [name for name, key in keys.items() if key]
    if not given:
        return []
    problems = []
    if len(given) == 1:
        (missing,) = set(keys) - set(given)
        problems.append(
            Error(
                f"{given[0]} is set, but {missing} is not.",
                hint="Take both keys of one pair from the developer centre of Toss Payments, or leave both empty.",
                id="checkout.E002",
            )
        )
    kinds = {name: key_kind(keys[name]) for name in given}
    unfit = [name for name, kind in kinds.items() if kind is None or kind.side != SIDES[name]]
    problems += [
        Error(
            f"{name} is not a {SIDES[name]} key of Toss Payments.",
            hint=f"Such a key begins with {PREFIXES[SIDES[name]]}. Look whether the two keys were mixed up.",
            id="checkout.E003",
        )
        for name in unfit
    ]
    if settings.DEBUG and any(kind and kind.environment == "live" for kind in kinds.values()):
        problems.append(
            Error(
                "Live keys of Toss Payments are set together with DEBUG: they would move real money.",
                hint="Use the test keys on a developer's machine, or switch DEBUG off.",
                id="checkout.E006",
            )
        )
    if settings.TOSS_SANDBOX:
        problems.append(
            Error(
                "TOSS_SANDBOX is on together with keys of Toss Payments, so it is not clear who takes the money.",
                hint="Set TOSS_SANDBOX=0, or leave both keys empty.",
                id="checkout.E007",
            )
        )
    return problems if len(given) == 1 or unfit else problems + _check_pair(*kinds.values())


def _check_pair(client, secret):
    problems = []
    if client.product != secret.product:
        problems.append(
            Error(
                "TOSS_CLIENT_KEY and TOSS_SECRET_KEY are of two kinds: one for the payment window, one for widgets.",
                hint="ck goes with sk, gck with gsk. Take both from the same line of the developer centre.",
                id="checkout.E004",
            )
        )
    if client.environment != secret.environment:
        problems.append(
            Error(
                "TOSS_CLIENT_KEY and TOSS_SECRET_KEY are of two environments: one is a test key, one a live key.",
                hint="Take both from the same environment of the developer centre.",
                id="checkout.E005",
            )
        )
    return problems


@register(Tags.security)
def check_payment_addresses(app_configs, **kwargs):
    return [
        Error(
            f"{name} is not an HTTPS address.",
            hint=f"Leave {name} out for the provider's own. Plain HTTP is accepted for this machine itself only.",
            id=f"checkout.{number}",
        )
        for name, number in (("TOSS_API_URL", "E008"), ("TOSS_SDK_URL", "E009"))
        if not is_safe_address(getattr(settings, name))
    ]


@register(Tags.security, deploy=True)
def check_payments_are_possible(app_configs, **kwargs):
    kind = key_kind(settings.TOSS_SECRET_KEY)
    if kind and kind.environment == "test":
        return [
            checks.Warning(
                "The keys of Toss Payments are test keys: buyers get what they order, and no money moves.",
                hint="Set the live keys before real buyers come.",
                id="checkout.W001",
            )
        ]
    if provider_in_use():
        return []
    return [
        Error(
            "No payment provider is set up, so nothing can be paid for.",
            hint="Set TOSS_CLIENT_KEY and TOSS_SECRET_KEY, or TOSS_SANDBOX=1 for a trial shop that moves no money.",
            id="checkout.E001",
        )
    ]
