"""Submitting a server on the level of rows: what is taken, what is refused, what stays of it."""

from datetime import timedelta

import pytest

from mcp.credentials import store_credentials
from mcp.models import Entry, McpServer, SubmissionMail
from mcp.registry.submissions import (
    SubmissionRefused,
    clean_endpoint,
    delete_old_submissions,
    export_submissions,
    forget_submissions,
    submit_server,
    withdraw_submission,
)
from tests.factories import NOON, make_server, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_english")]


@pytest.fixture(autouse=True)
def _in_english(settings):
    settings.LANGUAGE_CODE = "en"


def submit(*, user=None, endpoint="https://weather.example/mcp", **fields) -> Entry:
    return submit_server(
        **{
            "user": user or make_user(),
            "name": "Weather",
            "description": "Forecasts by city.",
            "endpoint": endpoint,
            "website_url": "",
            "required_settings": [],
            "language": "en",
            "now": NOON,
            **fields,
        }
    )


def test_a_submission_waits_hidden():
    user = make_user()
    entry = submit(user=user, name="  Wea\u202ether \n", description="By\tcity")

    assert not Entry.objects.public().exists()
    assert (entry.state, entry.slug, entry.submitted_by, entry.language) == ("submitted", "weather", user, "en")
    assert (entry.server.name, entry.server.description) == ("Weather", "By city")
    assert (entry.server.status, entry.server.config) == ("inactive", {})


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://weather.example/mcp",
        "https://WEATHER.example:443/mcp/",
        "HTTPS://weather.example/mcp",
        "https://weather.example./mcp",
    ],
)
def test_the_same_address_in_another_spelling_is_known(endpoint):
    known = make_server(endpoint="https://weather.example/mcp")

    with pytest.raises(SubmissionRefused, match="in the registry already") as refused:
        submit(endpoint=clean_endpoint(endpoint))

    assert refused.value.known == known.entry


def test_an_address_with_hangul_is_the_same_in_both_spellings():
    make_server(endpoint="https://날씨.example/mcp")

    with pytest.raises(SubmissionRefused):
        submit(endpoint=clean_endpoint("https://xn--i20bj30b.example/mcp"))


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://weather.example/other",
        "https://weather.example/MCP",
        "https://weather.example:8443/mcp",
        "https://weather.example/mcp?city=1",
        "https://www.weather.example/mcp",
    ],
)
def test_another_address_of_the_same_host_is_another_server(endpoint):
    make_server(endpoint="https://weather.example/mcp")

    assert submit(endpoint=endpoint).state == "submitted"


def test_a_form_that_is_sent_twice_makes_one_submission():
    user = make_user()
    submit(user=user)

    with pytest.raises(SubmissionRefused, match="You have submitted this server already") as refused:
        submit(user=user)

    assert refused.value.known is None
    assert McpServer.objects.count() == 1


def test_what_a_stranger_submitted_is_not_shown():
    submit()

    with pytest.raises(SubmissionRefused, match="Somebody has submitted this server already") as refused:
        submit()

    assert refused.value.known is None


def test_a_row_of_another_program_counts_as_known():
    McpServer.objects.create(name="Weather", endpoint="https://weather.example/mcp")

    with pytest.raises(SubmissionRefused, match="in the registry already"):
        submit()


def test_what_was_declined_may_be_sent_again():
    first = submit()
    Entry.objects.update(state="declined")

    assert submit().slug == "weather-2"
    assert first.slug == "weather"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" https://Weather.example/mcp ", "https://weather.example/mcp"),
        ("https://weather.example", "https://weather.example/"),
        ("https://weather.example:8443/a?city=서울", "https://weather.example:8443/a?city=%EC%84%9C%EC%9A%B8"),
        ("https://날씨.example/mcp", "https://xn--i20bj30b.example/mcp"),
        ("https://93.184.216.34/mcp", "https://93.184.216.34/mcp"),
    ],
)
def test_an_address_is_kept_in_one_spelling(typed, stored):
    assert clean_endpoint(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        *("", "weather", "weather.example/mcp", "http://weather.example/mcp", "ftp://weather.example/", "javascript:a"),
        *("https://", "https://a b.example/", "https://weather.example:22/", "https://me:pw@weather.example/"),
        *(
            "https://weather.example/#x",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://metadata.google.internal/",
            "https://10.0.0.8/mcp",
            "https://[::1]/",
            "https://127.1/",
        ),
        *(
            "https://weather.example/?key=1",
            "https://weather.example/?a=1&API_KEY=2",
            "https://weather.example/?x-token=",
        ),
        "https://weather.example/" + "a" * 500,
    ],
)
def test_an_address_that_nobody_should_connect_to_is_refused(typed):
    with pytest.raises(SubmissionRefused):
        clean_endpoint(typed)


def test_networks_that_the_site_opens_may_be_submitted(settings):
    settings.MCP_ALLOW_ADDRESSES = ["127.0.0.0/8"]

    assert clean_endpoint("http://127.0.0.1:9000/mcp") == "http://127.0.0.1:9000/mcp"


# --- Taking back


def test_a_waiting_submission_is_withdrawn_whole():
    user = make_user()
    entry = submit(user=user)

    assert withdraw_submission(user=user, slug=entry.slug)
    assert not withdraw_submission(user=user, slug=entry.slug)
    assert not McpServer.objects.exists()


@pytest.mark.parametrize("state", ["accepted", "declined"])
def test_what_is_decided_is_not_withdrawn(state):
    user = make_user()
    entry = submit(user=user)
    Entry.objects.update(state=state)

    assert not withdraw_submission(user=user, slug=entry.slug)
    assert McpServer.objects.exists()


def test_a_stranger_withdraws_nothing():
    entry = submit()

    assert not withdraw_submission(user=make_user(), slug=entry.slug)
    assert McpServer.objects.exists()


# --- What stays


def test_an_erased_account_takes_along_what_is_not_listed():
    user, other = make_user(), submit(endpoint="https://other.example/mcp")
    listed, _waiting, declined = (submit(user=user, endpoint=f"https://{n}.example/mcp") for n in ("a1", "b1", "c1"))
    Entry.objects.filter(pk=listed.pk).update(state="accepted")
    Entry.objects.filter(pk=declined.pk).update(state="declined")
    SubmissionMail.objects.create(key="x", kind="accepted", server=listed.server, user=user)

    forget_submissions(user=user)
    forget_submissions(user=user)

    assert set(Entry.objects.values_list("pk", "submitted_by")) == {
        (listed.pk, None),
        (other.pk, other.submitted_by_id),
    }
    assert not SubmissionMail.objects.exists()


def test_declined_ones_go_after_a_year():
    for number, days in enumerate((364, 365, 400)):
        entry = submit(endpoint=f"https://s{number}.example/mcp")
        Entry.objects.filter(pk=entry.pk).update(state="declined", decided_at=NOON - timedelta(days=days))
    submit(endpoint="https://waiting.example/mcp")

    assert delete_old_submissions(now=NOON, is_dry_run=True) == 2
    assert McpServer.objects.count() == 4
    assert delete_old_submissions(now=NOON) == 2
    assert delete_old_submissions(now=NOON) == 0
    assert McpServer.objects.count() == 2


def test_the_download_of_one_s_data_has_submissions_without_credentials():
    user = make_user()
    entry = submit(user=user, required_settings=[{"name": "X-Key", "description": "", "isSecret": True}])
    submit(endpoint="https://other.example/mcp")
    store_credentials(server=entry.server, headers={"X-Key": "open-sesame"})

    (exported,) = export_submissions(user)

    assert exported["endpoint"] == "https://weather.example/mcp"
    assert exported["submitted_at"] == "2026-11-22T12:00:00Z"
    assert "sealed" not in str(exported)
    assert "sesame" not in str(exported)
