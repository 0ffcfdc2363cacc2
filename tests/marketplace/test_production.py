"""What a production set-up is warned of, and how the site answers under it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.cache.backends.db import DatabaseCache
from django.core.management import call_command
from django.test import Client

from marketplace import checks
from marketplace.settings import CACHES

ROOT = Path(__file__).resolve().parents[2]
BUSINESS = [
    "NAME",
    "REPRESENTATIVE",
    "ADDRESS",
    "PHONE",
    "EMAIL",
    "REGISTRATION_NUMBER",
    "REPORT_NUMBER",
    "HOST",
    "PRIVACY_OFFICER",
]
COMPLETE = {
    "DJANGO_SETTINGS_MODULE": "marketplace.settings",
    "SECRET_KEY": "V7k2mQ9xT4pL8wZ1nR6yB3cF5hJ0dG-sA_eUiOqWxKzMvNbPtYrLgHfDjSa",
    "ALLOWED_HOSTS": "shop.example",
    "SITE_URL": "https://shop.example",
    "TRUSTED_PROXY_COUNT": "1",
    "EMAIL_URL": "smtp+tls://user:secret@mail.example:587",
    "DEFAULT_FROM_EMAIL": "Shop <no-reply@shop.example>",
    "TOSS_CLIENT_KEY": "live_gck_example",
    "TOSS_SECRET_KEY": "live_gsk_example",
    **{f"BUSINESS_{name}": "set" for name in BUSINESS},
}


def run_check(tmp_path, **changes) -> subprocess.CompletedProcess:
    """`manage.py check --deploy` in a process of its own, with exactly this environment."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}
    environment |= {name: value for name, value in (COMPLETE | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_a_complete_set_up_has_nothing_to_be_warned_of(tmp_path):
    result = run_check(tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert "no issues" in result.stdout


@pytest.mark.slow
def test_an_empty_set_up_is_told_everything_that_is_missing(tmp_path):
    names = ["SITE_URL", "TRUSTED_PROXY_COUNT", "EMAIL_URL", "DEFAULT_FROM_EMAIL", "TOSS_CLIENT_KEY", "TOSS_SECRET_KEY"]
    result = run_check(tmp_path, **dict.fromkeys([*names, *(f"BUSINESS_{name}" for name in BUSINESS)]))

    assert result.returncode == 1
    for code in ["W001", "E002", "W005", "W006", "W007"]:
        assert f"marketplace.{code}" in result.stderr
    assert "checkout.E001" in result.stderr


@pytest.mark.slow
def test_a_start_outside_debug_without_a_key_is_refused(tmp_path):
    result = run_check(tmp_path, SECRET_KEY=None)

    assert result.returncode == 1
    assert "SECRET_KEY is not set." in result.stderr


def found(check) -> list[str]:
    return [problem.id for problem in check(None)]


@pytest.fixture
def complete(settings):
    """Settings no check complains about."""
    settings.SITE_URL, settings.ALLOWED_HOSTS = "https://shop.example", ["shop.example"]
    settings.SECURE_SSL_REDIRECT, settings.TRUSTED_PROXY_COUNT = True, 1
    settings.BUSINESS = dict.fromkeys(settings.BUSINESS, "set")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.DEFAULT_FROM_EMAIL = "Shop <no-reply@shop.example>"
    settings.CACHES = settings.CACHES | {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache"}}
    settings.TOSS_SANDBOX = False
    return settings


ALL = [
    checks.check_site_address,
    checks.check_rate_limits_are_shared,
    checks.check_business_facts,
    checks.check_mail,
    checks.check_pictures_are_shown,
    checks.check_trial_is_meant,
]


def test_nothing_is_said_about_what_is_right(complete):
    assert [found(check) for check in ALL] == [[]] * 6


@pytest.mark.parametrize(
    ("name", "value", "codes"),
    [
        ("SITE_URL", "http://shop.example", ["marketplace.W001"]),
        ("ALLOWED_HOSTS", ["other.example"], ["marketplace.E002"]),
        ("ALLOWED_HOSTS", [".example"], []),
        ("TRUSTED_PROXY_COUNT", 0, ["marketplace.W003"]),
        ("CACHES", {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}, ["marketplace.E004"]),
        ("CACHES", {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}, []),
        ("BUSINESS", {"name": "Shop", "phone": ""}, ["marketplace.W005"]),
        ("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend", ["marketplace.W006"]),
        ("DEFAULT_FROM_EMAIL", "Shop <no-reply@localhost>", ["marketplace.W007"]),
        ("DEFAULT_FROM_EMAIL", "no-reply@localhost", ["marketplace.W007"]),
        ("STORAGES", {"default": {"BACKEND": "storages.backends.s3.S3Storage"}}, ["marketplace.W008"]),
        ("TOSS_SANDBOX", True, ["marketplace.W009"]),
    ],
)
def test_each_mistake_is_named(complete, name, value, codes):
    setattr(complete, name, value)

    assert [code for check in ALL for code in found(check)] == codes


def test_a_missing_business_fact_is_named_as_its_variable(complete):
    complete.BUSINESS = complete.BUSINESS | {"phone": ""}

    [problem] = checks.check_business_facts(None)
    assert "BUSINESS_PHONE" in problem.msg


def test_a_bucket_with_its_host_is_right(complete):
    complete.STORAGES = {"default": {"BACKEND": "storages.backends.s3.S3Storage"}}
    complete.IMAGE_HOSTS = ["https://bucket.example"]

    assert found(checks.check_pictures_are_shown) == []


FOLDER, BUCKET = "django.core.files.storage.FileSystemStorage", "storages.backends.s3.S3Storage"


@pytest.mark.parametrize(
    ("pictures", "files", "codes"),
    [
        ((FOLDER, {"location": "/srv/media"}), (FOLDER, {"location": "/srv/media"}), ["marketplace.E010"]),
        ((FOLDER, {"location": "/srv/media"}), (FOLDER, {"location": "/srv/media/private"}), ["marketplace.E010"]),
        ((FOLDER, {"location": "/srv/media"}), (FOLDER, {"location": "/srv/static/../media"}), ["marketplace.E010"]),
        ((FOLDER, {"location": "/srv/media"}), (FOLDER, {"location": "/srv/static/x"}), ["marketplace.E010"]),
        ((FOLDER, {"location": "/srv/media"}), (FOLDER, {"location": "/srv/media-private"}), []),
        ((BUCKET, {"bucket_name": "shop"}), (BUCKET, {"bucket_name": "shop"}), ["marketplace.E010"]),
        ((BUCKET, {"bucket_name": "shop"}), (BUCKET, {"bucket_name": "shop-private"}), []),
        ((BUCKET, {"bucket_name": "shop"}), (FOLDER, {"location": "/srv/private"}), []),
    ],
)
def test_files_that_are_paid_for_lie_nowhere_that_is_served(settings, pictures, files, codes):
    settings.STATIC_ROOT = "/srv/static"
    settings.STORAGES = {
        name: {"BACKEND": backend, "OPTIONS": options}
        for name, (backend, options) in [("default", pictures), ("private", files)]
    }

    assert found(checks.check_bought_files_are_private) == codes


# --- How the site answers


@pytest.mark.django_db
def test_cookies_are_out_of_reach_of_scripts_and_of_other_sites():
    client = Client()
    client.get("/accounts/login/")
    client.post(
        "/accounts/signup/", {"email": "a@example.com", "password1": "long-enough-1", "password2": "long-enough-1"}
    )

    session, token = client.cookies["sessionid"], client.cookies["csrftoken"]
    assert (session["httponly"], session["samesite"]) == (True, "Lax")
    assert token["samesite"] == "Lax"


@pytest.mark.django_db
def test_under_https_cookies_are_secure_and_plain_http_is_redirected(settings):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS, settings.TRUSTED_PROXY_COUNT = 3600, 1
    forwarded = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}

    plain = Client().get("/accounts/login/")
    secure_client = Client(headers=forwarded)
    secure = secure_client.get("/accounts/login/")

    assert (plain.status_code, plain["Location"]) == (301, "https://testserver/accounts/login/")
    assert secure.status_code == 200
    assert secure["Strict-Transport-Security"].startswith("max-age=3600")
    assert secure_client.cookies["csrftoken"]["secure"] is True


@pytest.mark.django_db
def test_a_visitor_who_only_looks_gets_no_session():
    client = Client()
    client.get("/terms/")

    assert "sessionid" not in client.cookies


@pytest.mark.slow
def test_an_https_address_switches_everything_on(tmp_path):
    names = [
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN",
        "ACCOUNT_DEFAULT_HTTP_PROTOCOL",
    ]
    code = f"from marketplace import settings as s; print([getattr(s, name) for name in {names}])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **COMPLETE},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert result.stdout.strip() == "[True, True, True, 31536000, False, 'https']"


@pytest.mark.django_db
def test_the_shared_cache_remembers_more_people_than_try_at_once():
    call_command("createcachetable", "entries_of_a_test", verbosity=0)
    cache = DatabaseCache("entries_of_a_test", CACHES["default"])

    for number in range(320):
        cache.set(f"attempts-{number}", [1], 300)

    assert all(cache.get(f"attempts-{number}") == [1] for number in range(320))
