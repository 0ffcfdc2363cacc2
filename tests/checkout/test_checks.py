"""Settings with which money could go wrong are named before anybody pays."""

import pytest
from django.core.checks import Tags, run_checks

from checkout.toss_keys import browser_product
from marketplace import settings as site_settings

LIVE, TEST = (
    {"TOSS_CLIENT_KEY": "live_ck_abc", "TOSS_SECRET_KEY": "live_sk_abc"},
    {
        "TOSS_CLIENT_KEY": "test_ck_abc",
        "TOSS_SECRET_KEY": "test_sk_abc",
    },
)


@pytest.fixture(autouse=True)
def _shop_without_keys(settings):
    settings.DEBUG = False
    settings.TOSS_SANDBOX = False
    settings.TOSS_CLIENT_KEY = settings.TOSS_SECRET_KEY = ""


def found(*, deploy=False):
    """Ours only, as they are reported: (id, everything that is printed)."""
    problems = run_checks(tags=[Tags.security], include_deployment_checks=deploy)
    return [(problem.id, str(problem)) for problem in problems if problem.id.startswith("checkout.")]


def found_ids(*, deploy=False):
    return sorted(number for number, _ in found(deploy=deploy))


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, []),
        (LIVE, []),
        (TEST, []),
        ({"TOSS_CLIENT_KEY": "test_gck_a", "TOSS_SECRET_KEY": "test_gsk_a"}, []),
        ({"TOSS_CLIENT_KEY": "test_ck_a"}, ["checkout.E002"]),
        ({"TOSS_SECRET_KEY": "live_sk_a"}, ["checkout.E002"]),
        ({"TOSS_CLIENT_KEY": "ck_a", "TOSS_SECRET_KEY": "test_sk_a"}, ["checkout.E003"]),
        ({"TOSS_CLIENT_KEY": "test_sk_a", "TOSS_SECRET_KEY": "test_ck_a"}, ["checkout.E003", "checkout.E003"]),
        ({"TOSS_CLIENT_KEY": "test_ck_a", "TOSS_SECRET_KEY": "test_gsk_a"}, ["checkout.E004"]),
        ({"TOSS_CLIENT_KEY": "test_gck_a", "TOSS_SECRET_KEY": "test_sk_a"}, ["checkout.E004"]),
        ({"TOSS_CLIENT_KEY": "test_ck_a", "TOSS_SECRET_KEY": "live_sk_a"}, ["checkout.E005"]),
        ({"TOSS_CLIENT_KEY": "live_gck_a", "TOSS_SECRET_KEY": "test_sk_a"}, ["checkout.E004", "checkout.E005"]),
        (LIVE | {"DEBUG": True}, ["checkout.E006"]),
        (TEST | {"DEBUG": True}, []),
        (TEST | {"TOSS_SANDBOX": True}, ["checkout.E007"]),
        ({"TOSS_SANDBOX": True}, []),
        ({"TOSS_API_URL": "http://api.tosspayments.com"}, ["checkout.E008"]),
        ({"TOSS_API_URL": "http://127.0.0.1.example.com"}, ["checkout.E008"]),
        ({"TOSS_API_URL": "api.tosspayments.com"}, ["checkout.E008"]),
        ({"TOSS_API_URL": "http://127.0.0.1:9000"}, []),
        ({"TOSS_API_URL": "http://[::1]:9000"}, []),
        ({"TOSS_SDK_URL": "http://js.tosspayments.com/v2/standard"}, ["checkout.E009"]),
    ],
)
def test_every_check_names_keys_and_addresses_that_do_not_fit(settings, changes, ids):
    for name, value in changes.items():
        setattr(settings, name, value)

    assert found_ids() == ids


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, ["checkout.E001"]),
        (LIVE, []),
        (TEST, ["checkout.W001"]),
        ({"TOSS_SANDBOX": True}, []),
    ],
)
def test_a_deployment_needs_a_provider_and_is_warned_of_test_keys(settings, changes, ids):
    for name, value in changes.items():
        setattr(settings, name, value)

    assert found_ids(deploy=True) == ids


def test_no_check_prints_a_key(settings):
    settings.DEBUG = settings.TOSS_SANDBOX = True
    settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY = "live_sk_zebra-one", "nonsense-zebra-two"

    told = " ".join(text for _, text in found(deploy=True))

    assert "E003" in told
    assert "zebra" not in told


@pytest.mark.parametrize(
    ("client_key", "product"), [("test_ck_a", "payment"), ("live_gck_a", "widgets"), ("test_gck_a", "widgets")]
)
def test_the_client_key_says_what_the_page_opens(settings, client_key, product):
    settings.TOSS_CLIENT_KEY = client_key

    assert browser_product() == product


def test_the_payment_page_lets_in_the_provider_and_nobody_else():
    policy = site_settings._payment_page_csp("https://js.tosspayments.com/v2/standard")

    toss = ["https://*.tosspayments.com", "https://*.toss.im"]
    assert policy["script-src"] == ["'self'", "https://js.tosspayments.com"]
    assert policy["connect-src"] == ["'self'", *toss]
    assert policy["frame-src"] == toss
    assert policy["form-action"] == ["'self'", *toss]
    assert policy["style-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["img-src"][-2:] == ["https://*.tosspayments.com", "https://static.toss.im"]


def test_an_sdk_from_elsewhere_gets_its_own_origin_and_none_of_the_provider():
    policy = site_settings._payment_page_csp("http://127.0.0.1:9000/v2/standard")

    assert policy["script-src"] == ["'self'", "http://127.0.0.1:9000"]
    assert policy["connect-src"] == policy["form-action"] == ["'self'", "http://127.0.0.1:9000"]
    assert policy["frame-src"] == ["http://127.0.0.1:9000"]
    assert "toss" not in str(policy)


def test_every_other_page_keeps_the_strict_policy(settings):
    assert settings.SECURE_CSP["form-action"] == ["'self'"]
    assert "toss" not in str(settings.SECURE_CSP)
