"""What `manage.py clean_up` deletes, and what it leaves."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from marketplace.management.commands import clean_up
from sellers.models import ApplicationCase, ApplicationEvent, Seller, SellerApplication, SellerMail
from sellers.onboarding import accept_application, decline_application, withdraw_application
from sellers.retention import a_year_before, delete_old_applications, empty_old_mails
from tests.factories import NOON, make_application, make_user

pytestmark = pytest.mark.django_db

YEAR_LATER = NOON.replace(year=NOON.year + 1)
JUST_BEFORE = YEAR_LATER - timedelta(seconds=1)


@pytest.fixture
def staff():
    return make_user(is_staff=True)


@pytest.fixture
def run(time_machine):
    """`run("--json", now=YEAR_LATER)`: what the command prints."""

    def call(*options, now=YEAR_LATER) -> str:
        time_machine.move_to(now, tick=False)
        out = StringIO()
        call_command("clean_up", *options, stdout=out)
        return out.getvalue()

    return call


def decline(staff, **fields):
    application = make_application(**fields)
    decline_application(application=application, staff=staff, reason="Too little.", now=NOON)
    return application


def test_an_application_goes_a_year_after_its_decision_with_all_that_hangs_on_it(staff):
    decline(staff)
    withdrawn = make_application()
    withdraw_application(application=withdrawn, now=NOON + timedelta(days=1))

    assert delete_old_applications(now=JUST_BEFORE) == 0
    assert delete_old_applications(now=YEAR_LATER) == 1
    assert delete_old_applications(now=YEAR_LATER) == 0

    assert list(SellerApplication.objects.all()) == [withdrawn]
    assert ApplicationCase.objects.count() == 1
    assert set(ApplicationEvent.objects.values_list("application", flat=True)) == {withdrawn.pk}
    assert set(SellerMail.objects.values_list("application", flat=True)) == {withdrawn.pk}


def test_what_waits_stays_however_old():
    make_application(now=NOON - timedelta(days=3_000))

    assert delete_old_applications(now=YEAR_LATER) == 0


def test_the_seller_of_an_accepted_one_stays(staff):
    make_user(email="mina@example.com")
    accept_application(application=make_application(email="mina@example.com", name="Mina"), staff=staff, now=NOON)

    assert delete_old_applications(now=YEAR_LATER) == 1
    assert [(seller.name, seller.slug) for seller in Seller.objects.all()] == [("Mina", "mina")]


@pytest.mark.parametrize(("processed", "left"), [(True, 0), (False, 1)])
def test_a_row_that_another_program_closed_goes_a_year_after_applying(processed, left):
    SellerApplication.objects.create(name="Juno", email="juno@example.com", created_at=NOON, processed=processed)

    delete_old_applications(now=JUST_BEFORE)
    assert SellerApplication.objects.count() == 1
    delete_old_applications(now=YEAR_LATER)
    assert SellerApplication.objects.count() == left


def test_one_that_another_program_opened_again_stays(staff):
    decline(staff)
    SellerApplication.objects.update(processed=False)

    assert delete_old_applications(now=YEAR_LATER) == 0


def test_many_go_in_batches(staff, monkeypatch):
    monkeypatch.setattr("sellers.retention.BATCH", 2)
    for _ in range(5):
        decline(staff)

    assert delete_old_applications(now=YEAR_LATER) == 5


def test_a_year_before_a_leap_day_is_the_28th():
    assert a_year_before(datetime(2028, 2, 29, 12, tzinfo=UTC)) == datetime(2027, 2, 28, 12, tzinfo=UTC)


# --- The command


def test_the_command_says_in_one_line_what_it_did(staff, run):
    decline(staff)

    assert run(now=JUST_BEFORE) == "deleted: 0 applications, 0 checks, 0 mails, 0 reports, 0 submissions\n"
    assert run() == "deleted: 1 applications, 0 checks, 0 mails, 0 reports, 0 submissions\n"
    assert run() == "deleted: 0 applications, 0 checks, 0 mails, 0 reports, 0 submissions\n"


def test_a_dry_run_tells_and_deletes_nothing(staff, run):
    decline(staff)

    assert run("--dry-run") == "would delete: 1 applications, 0 checks, 0 mails, 0 reports, 0 submissions\n"
    assert json.loads(run("--dry-run", "--json")) == {
        "dry_run": True,
        "deleted": {"applications": 1, "checks": 0, "mails": 0, "reports": 0, "submissions": 0},
        "failed": [],
    }
    assert SellerApplication.objects.count() == 1


def test_a_chore_that_fails_stops_no_other_and_shows_in_the_exit_status(staff, run, monkeypatch, caplog):
    def fail(*, now, is_dry_run):
        raise RuntimeError

    decline(staff)
    monkeypatch.setattr(clean_up, "CHORES", {"broken": fail, **clean_up.CHORES})

    with pytest.raises(CommandError) as raised:
        run()

    assert (raised.value.returncode, str(raised.value)) == (1, "failed: broken")
    assert SellerApplication.objects.count() == 0
    assert [record.message for record in caplog.records] == ["clean-up failed chore=broken"]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_privacy_policy_and_the_consent_promise_the_same(client, language):
    pages = {path: client.get(path, headers={"accept-language": language}).text for path in ("/privacy/", "/sell/")}
    promised = {
        "ko": {"/privacy/": "심사가 끝날 때까지와 그 뒤 1년"},
        "en": {"/privacy/": "until the decision and one year after it"},
    }

    assert promised[language]["/privacy/"] in pages["/privacy/"]
    if language == "en":
        assert "until the decision and one year after it" in pages["/sell/"]


def test_mails_forget_what_they_said_when_their_links_have_ended():
    make_application()
    sent, waiting = SellerMail.objects.get(), SellerMail(kind="new_review", key="k", to="a@example.com", queued_at=NOON)
    waiting.context = {"path": "/"}
    waiting.save()
    SellerMail.objects.filter(pk=sent.pk).update(status="sent", sent_at=NOON)
    ended = NOON + timedelta(days=90)

    assert empty_old_mails(now=ended - timedelta(seconds=1)) == 0
    assert empty_old_mails(now=ended, is_dry_run=True) == 1
    assert empty_old_mails(now=ended) == 1
    assert empty_old_mails(now=ended) == 0
    assert dict(SellerMail.objects.values_list("key", "context")) == {sent.key: {}, "k": {"path": "/"}}
