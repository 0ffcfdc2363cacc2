"""Mistakes of a production set-up that no page shows: `manage.py check --deploy`. Payments: `checkout/checks.py`."""

from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register  # noqa: A004 (Django's name)
from django.http.request import validate_host

# Each process would count for itself, and the limits on passwords and codes would be as many times higher.
CACHES_OF_ONE_PROCESS = ("locmem.LocMemCache", "dummy.DummyCache")
MAIL_THAT_GOES_NOWHERE = ("console", "dummy", "filebased", "locmem")


@register(Tags.security, deploy=True)
def check_site_address(app_configs, **kwargs):
    """Mails, feeds and canonical links carry SITE_URL; cookies and HSTS follow its scheme."""
    problems = []
    address = urlsplit(settings.SITE_URL)
    if address.scheme != "https":
        problems.append(
            Warning(
                f"SITE_URL is “{settings.SITE_URL}”, not https.",
                hint="Set the public address: SITE_URL=https://shop.example. Passkeys and secure cookies need it.",
                id="marketplace.W001",
            )
        )
    if not validate_host(address.hostname or "", settings.ALLOWED_HOSTS):
        problems.append(
            Error(
                f"ALLOWED_HOSTS does not hold the host of SITE_URL, “{address.hostname}”.",
                hint="Links in mails would be answered with 400.",
                id="marketplace.E002",
            )
        )
    if settings.SECURE_SSL_REDIRECT and not settings.TRUSTED_PROXY_COUNT:
        problems.append(
            Warning(
                "SECURE_SSL_REDIRECT is on and TRUSTED_PROXY_COUNT is 0.",
                hint="Behind a proxy that speaks HTTPS every page would redirect to itself: set TRUSTED_PROXY_COUNT=1.",
                id="marketplace.W003",
            )
        )
    return problems


@register(Tags.security, deploy=True)
def check_rate_limits_are_shared(app_configs, **kwargs):
    backend = settings.CACHES["default"]["BACKEND"]
    if not backend.endswith(CACHES_OF_ONE_PROCESS):
        return []
    return [
        Error(
            "The default cache belongs to one process, and rate limits count there.",
            hint="Use the database cache (the default) or set REDIS_URL.",
            id="marketplace.E004",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_business_facts(app_configs, **kwargs):
    """The footer must name who sells (Act on Consumer Protection in Electronic Commerce, article 10)."""
    missing = [f"BUSINESS_{name.upper()}" for name, value in settings.BUSINESS.items() if not value]
    if not missing:
        return []
    return [
        Warning(
            f"Facts about the business are missing: {', '.join(missing)}.",
            hint="Korean law asks for them in the footer. While all are empty, examples stand there.",
            id="marketplace.W005",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_mail(app_configs, **kwargs):
    problems = []
    backend = settings.EMAIL_BACKEND.split(".")
    if any(name in backend for name in MAIL_THAT_GOES_NOWHERE):
        problems.append(
            Warning(
                "Mails are not sent, so nobody can sign up: the backend is " + settings.EMAIL_BACKEND + ".",
                hint="Set EMAIL_URL=smtp+tls://user:password@host:587.",
                id="marketplace.W006",
            )
        )
    if settings.DEFAULT_FROM_EMAIL.rstrip("> ").endswith("@localhost"):
        problems.append(
            Warning(
                f"DEFAULT_FROM_EMAIL is “{settings.DEFAULT_FROM_EMAIL}”.",
                hint="Mail servers refuse it. Set DEFAULT_FROM_EMAIL='Shop <no-reply@shop.example>'.",
                id="marketplace.W007",
            )
        )
    return problems


@register(Tags.compatibility, deploy=True)
def check_pictures_are_shown(app_configs, **kwargs):
    """A bucket is another host, and the Content-Security-Policy lets in only the hosts it names."""
    if not settings.STORAGES["default"]["BACKEND"].startswith("storages.") or settings.IMAGE_HOSTS:
        return []
    return [
        Warning(
            "MEDIA_STORAGE is a bucket and IMAGE_HOSTS is empty, so browsers will not show its pictures.",
            hint="Set IMAGE_HOSTS to the host in the pictures' addresses.",
            id="marketplace.W008",
        )
    ]


@register(Tags.security)
def check_bought_files_are_private(app_configs, **kwargs):
    """Whatever lies where a proxy serves pictures and scripts can be had without buying it."""
    options = {name: settings.STORAGES[name].get("OPTIONS", {}) for name in ("default", "private")}
    folder, bucket = options["private"].get("location"), options["private"].get("bucket_name")
    served = [options["default"].get("location"), settings.STATIC_ROOT, *settings.STATICFILES_DIRS]
    is_served = folder and any(Path(folder).resolve().is_relative_to(Path(each).resolve()) for each in served if each)
    if not is_served and not (bucket and bucket == options["default"].get("bucket_name")):
        return []
    return [
        Error(
            "The files that buyers pay for lie where pictures are served from.",
            hint="Set PRIVATE_ROOT or PRIVATE_STORAGE to a folder or bucket of its own.",
            id="marketplace.E010",
        )
    ]


@register(Tags.security, deploy=True)
def check_trial_is_meant(app_configs, **kwargs):
    if not settings.TOSS_SANDBOX:
        return []
    return [
        Warning(
            "TOSS_SANDBOX is on: anybody can “pay” without money.",
            hint="Right for a demonstration only. A shop sets TOSS_CLIENT_KEY and TOSS_SECRET_KEY instead.",
            id="marketplace.W009",
        )
    ]
