"""The line that says no money moves."""

import pytest


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("secret_key", "is_sandbox", "is_shown"),
    [("", True, True), ("", False, False), ("test_sk_x", False, True), ("live_sk_x", True, False)],
)
def test_the_banner_stands_wherever_no_money_moves(client, settings, secret_key, is_sandbox, is_shown):
    settings.TOSS_SECRET_KEY, settings.TOSS_SANDBOX = secret_key, is_sandbox

    page = client.get("/", headers={"Accept-Language": "en"}).content.decode()

    assert ("This is a trial shop." in page) is is_shown
