"""How an application moves, whoever moves it, and what `processed` tells other programs of it."""

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sellers.application_mails import draft_mail
from sellers.models import ApplicationCase, Seller, SellerApplication, SellerMail
from sellers.onboarding import (
    ELSEWHERE,
    accept_application,
    add_note,
    answer_question,
    apply_to_sell,
    ask_applicant,
    decline_application,
    find_standing,
    list_history,
    mail_link,
    reopen_application,
    start_review,
    withdraw_application,
)
from tests.factories import NOON, make_application, make_seller, make_user

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)
TYPED = {
    "name": "Mina",
    "email": "mina@example.com",
    "portfolio_url": "https://example.com/",
    "categories": ["writing", "data"],
    "message": "I write.",
    "consent_version": "test",
    "language": "en",
    "now": NOON,
}


@pytest.fixture
def staff():
    return make_user(is_staff=True)


def make_foreign_row(**fields) -> SellerApplication:
    """What another program wrote into `seller_waitlist`."""
    return SellerApplication.objects.create(
        **{"name": "Juno", "email": "juno@example.com", "created_at": NOON, **fields}
    )


def tell(application) -> tuple:
    """(processed, status, reason, whether decided), as the database has it."""
    row = SellerApplication.objects.select_related("case").get(pk=application.pk)
    return row.processed, row.case.status, row.case.reason, row.case.decided_at is not None


def kinds(application) -> list[str]:
    return [event.kind for event in application.events.order_by("pk")]


def mail_kinds() -> list[str]:
    return list(SellerMail.objects.order_by("pk").values_list("kind", flat=True))


# --- Applying


def test_an_application_is_stored_with_its_case_its_history_and_one_mail():
    application, is_new = apply_to_sell(**TYPED)

    row = SellerApplication.objects.get()
    assert (row, is_new) == (application, True)
    assert (row.name, row.email, row.categories, row.processed) == (
        "Mina",
        "mina@example.com",
        ["writing", "data"],
        False,
    )
    assert (row.case.status, row.case.language, row.case.consent_version) == ("received", "en", "test")
    assert row.case.consented_at == NOON
    assert kinds(row) == ["received"]
    assert mail_kinds() == ["application_received"]


def test_without_a_link_the_column_is_null():
    application, _is_new = apply_to_sell(**{**TYPED, "portfolio_url": ""})

    assert SellerApplication.objects.filter(pk=application.pk, portfolio_url__isnull=True).exists()


@pytest.mark.parametrize("again", ["mina@example.com", "MINA@Example.com", " mina@example.com", "ｍina@example.com"])
def test_the_same_address_written_otherwise_applies_once_and_changes_nothing(again):
    application, _is_new = apply_to_sell(**TYPED)

    other, is_new = apply_to_sell(**{**TYPED, "email": again, "name": "Somebody", "message": "Else."})

    row = SellerApplication.objects.get()
    assert (other, is_new) == (application, False)
    assert (row.name, row.email, row.message) == ("Mina", "mina@example.com", "I write.")
    assert kinds(row) == ["received", "sent_again"]
    assert [mail.context["occasion"] for mail in SellerMail.objects.order_by("pk")] == ["received", "again"]


@pytest.mark.parametrize("other", ["mi.na@example.com", "mina+x@example.com", "mina@strasse.example"])
def test_addresses_that_only_look_alike_are_two(other):
    apply_to_sell(**{**TYPED, "email": "mina@straße.example"})
    apply_to_sell(**TYPED)

    _application, is_new = apply_to_sell(**{**TYPED, "email": other})

    assert is_new


def test_whoever_applies_again_is_mailed_once_a_day_in_seoul():
    for hours in (0, 1, 2, 3, 24):  # NOON is nine in the evening there
        apply_to_sell(**{**TYPED, "now": NOON + timedelta(hours=hours)})

    assert [mail.context["occasion"] for mail in SellerMail.objects.order_by("pk")] == ["received", "again", "again"]


@pytest.mark.parametrize("is_processed", [True, False])
def test_a_row_of_another_program_counts_as_applied(is_processed):
    row = make_foreign_row(email="Mina@Example.com", processed=is_processed)

    application, is_new = apply_to_sell(**TYPED)

    assert (application, is_new) == (row, False)
    assert find_standing(application) == (ELSEWHERE if is_processed else "received")
    assert mail_kinds() == ["application_received"]


def test_applying_again_never_opens_what_was_decided(staff):
    application = make_application(email="mina@example.com")
    decline_application(application=application, staff=staff, reason="Too little.", now=NOON)

    apply_to_sell(**TYPED)

    assert tell(application) == (True, "declined", "Too little.", True)


def test_a_mail_of_the_applicants_side_holds_nothing_that_was_typed():
    apply_to_sell(**{**TYPED, "name": "Buy at evil.example"})
    apply_to_sell(**{**TYPED, "name": "Buy at evil.example"})
    mail_link(email="mina@example.com", language="en", now=LATER)

    assert SellerMail.objects.count() == 3
    assert all("evil" not in str(mail.context) for mail in SellerMail.objects.all())


# --- A fresh link


def test_a_link_is_mailed_to_whoever_applied_and_to_nobody_else():
    make_application(email="mina@example.com")

    assert mail_link(email="MINA@example.com", language="en", now=LATER) is True
    assert mail_link(email="juno@example.com", language="en", now=LATER) is False
    assert [mail.to for mail in SellerMail.objects.filter(key__contains="link")] == ["mina@example.com"]


def test_the_link_goes_to_the_address_that_applied_and_not_to_the_one_typed():
    make_application(email="Mina@example.com")

    mail_link(email="mina@EXAMPLE.com", language="en", now=LATER)

    assert SellerMail.objects.get(key__contains="link").to == "Mina@example.com"


@pytest.mark.parametrize("address", ["mina at example\nBcc: all@example.com", f"{'m' * 300}@example.com", ""])
def test_a_row_without_a_good_address_gets_no_mail_and_no_error(staff, address):
    row = make_foreign_row(email=address)

    assert accept_application(application=row, staff=staff, now=NOON) is True
    assert SellerMail.objects.count() == 0


# --- What the applicant may do


def test_an_application_is_withdrawn_once():
    application = make_application()

    assert withdraw_application(application=application, now=LATER) is True
    assert withdraw_application(application=application, now=LATER) is False
    assert tell(application) == (True, "withdrawn", "", True)
    assert kinds(application) == ["received", "withdrawn"]


def test_a_withdrawn_one_is_opened_again_once():
    application = make_application()
    withdraw_application(application=application, now=LATER)

    assert reopen_application(application=application, now=LATER) is True
    assert reopen_application(application=application, now=LATER) is False
    assert tell(application) == (False, "received", "", False)
    assert kinds(application) == ["received", "withdrawn", "reopened"]


def test_a_row_of_another_program_is_withdrawn_too():
    row = make_foreign_row()

    assert withdraw_application(application=row, now=LATER) is True
    assert tell(row) == (True, "withdrawn", "", True)


def test_a_question_is_answered_once(staff):
    application = make_application()
    ask_applicant(application=application, staff=staff, question="Which model?", now=NOON)

    assert answer_question(application=application, text=" Any. ", now=LATER) is True
    assert answer_question(application=application, text="Any.", now=LATER) is False
    assert tell(application) == (False, "received", "", False)
    assert [(event.kind, event.text) for event in list_history(application)] == [
        ("received", ""),
        ("asked", "Which model?"),
        ("answered", "Any."),
    ]


def test_an_answer_needs_words(staff):
    application = make_application()
    ask_applicant(application=application, staff=staff, question="Which model?", now=NOON)

    with pytest.raises(ValueError, match="answered"):
        answer_question(application=application, text=" \n", now=LATER)


def test_what_nobody_asked_is_not_answered():
    assert answer_question(application=make_application(), text="Hello.", now=LATER) is False


def test_a_refusal_is_not_opened_by_the_applicant(staff):
    application = make_application()
    decline_application(application=application, staff=staff, reason="Too little.", now=NOON)

    assert reopen_application(application=application, now=LATER) is False
    assert tell(application) == (True, "declined", "Too little.", True)


# --- What staff may do


def test_a_review_begins_once(staff):
    application = make_application()

    assert start_review(application=application, staff=staff, now=LATER) is True
    assert start_review(application=application, staff=staff, now=LATER) is False
    assert tell(application) == (False, "in_review", "", False)
    assert kinds(application) == ["received", "review_started"]


def test_a_question_goes_out_once_and_another_one_may_follow(staff):
    application = make_application()

    asked = [
        ask_applicant(application=application, staff=staff, question=question, now=LATER + timedelta(minutes=number))
        for number, question in enumerate(["Which model?", "Which model?", "And for whom?"])
    ]

    assert asked == [True, False, True]
    assert tell(application) == (False, "asked", "And for whom?", False)
    assert mail_kinds() == ["application_received", "application_asked", "application_asked"]


def test_a_refusal_says_why_once(staff):
    application = make_application()

    assert decline_application(application=application, staff=staff, reason=" Too little. ", now=LATER) is True
    assert decline_application(application=application, staff=staff, reason="Other.", now=LATER) is False
    assert tell(application) == (True, "declined", "Too little.", True)
    assert ApplicationCase.objects.get().decided_by == staff
    assert mail_kinds() == ["application_received", "application_declined"]


@pytest.mark.parametrize("blank", ["", "  \n "])
def test_a_refusal_and_a_question_need_words(staff, blank):
    application = make_application()

    with pytest.raises(ValueError, match="reason"):
        decline_application(application=application, staff=staff, reason=blank, now=NOON)
    with pytest.raises(ValueError, match="ask"):
        ask_applicant(application=application, staff=staff, question=blank, now=NOON)
    assert tell(application) == (False, "received", "", False)


def test_an_acceptance_makes_the_seller_of_a_confirmed_address_at_once(staff):
    mina = make_user(email="mina@example.com")
    application = make_application(email="MINA@example.com", name="Mina  Kim")

    assert accept_application(application=application, staff=staff, now=LATER) is True
    assert accept_application(application=application, staff=staff, now=LATER) is False

    seller = Seller.objects.get()
    assert (seller.user, seller.name, seller.slug, seller.language) == (mina, "Mina Kim", "mina-kim", "en")
    assert tell(application) == (True, "accepted", "", True)
    assert kinds(application) == ["received", "accepted", "seller_made"]
    assert mail_kinds() == ["application_received", "application_accepted"]


def test_an_acceptance_without_an_account_waits(staff):
    application = make_application(email="mina@example.com")

    accept_application(application=application, staff=staff, now=LATER)

    assert Seller.objects.count() == 0
    assert kinds(application) == ["received", "accepted"]


@pytest.mark.parametrize("account", [{"is_active": False}, {"verified": False}])
def test_an_acceptance_makes_no_seller_of_an_account_that_is_off_or_only_claims_the_address(staff, account):
    mina = make_user(email="mina@example.com", is_active=account.get("is_active", True))
    mina.emailaddress_set.update(verified=account.get("verified", True))

    accept_application(application=make_application(email="mina@example.com"), staff=staff, now=LATER)

    assert Seller.objects.count() == 0


def test_whoever_sells_already_keeps_the_seller_page(staff):
    seller = make_seller(user=make_user(email="mina@example.com"), name="Tea")

    accept_application(application=make_application(email="mina@example.com"), staff=staff, now=LATER)

    assert [row.name for row in Seller.objects.all()] == [seller.name]


def test_sellers_of_one_name_get_addresses_of_their_own(staff):
    for number in range(12):
        make_user(email=f"mina{number}@example.com")
        application = make_application(email=f"mina{number}@example.com", name="김미나")
        accept_application(application=application, staff=staff, now=LATER)

    slugs = list(Seller.objects.order_by("created_at", "pk").values_list("slug", flat=True))
    assert len(slugs) == 12
    assert {"김미나", *(f"김미나-{number}" for number in range(2, 10))} < set(slugs)


@pytest.mark.parametrize(("name", "slug"), [("🙂", "seller"), ("Tea & Ink", "tea-ink"), ("가" * 70, "가" * 50)])
def test_a_name_becomes_an_address(staff, name, slug):
    make_user(email="mina@example.com")

    accept_application(application=make_application(email="mina@example.com", name=name), staff=staff, now=LATER)

    assert Seller.objects.get().slug == slug


def test_staff_open_a_refusal_again_and_not_an_acceptance(staff):
    declined, accepted = make_application(), make_application()
    decline_application(application=declined, staff=staff, reason="Too little.", now=NOON)
    accept_application(application=accepted, staff=staff, now=NOON)

    assert reopen_application(application=declined, staff=staff, now=LATER) is True
    assert reopen_application(application=accepted, staff=staff, now=LATER) is False
    assert tell(declined) == (False, "received", "", False)
    assert tell(accepted) == (True, "accepted", "", True)


def test_a_note_is_kept_for_staff_alone(staff):
    application = make_application()

    add_note(application=application, staff=staff, text=" Looks good. ", now=LATER)
    add_note(application=application, staff=staff, text="  ", now=LATER)

    assert [(event.kind, event.text, event.actor) for event in application.events.order_by("pk")] == [
        ("received", "", None),
        ("noted", "Looks good.", staff),
    ]
    assert [event.kind for event in list_history(application)] == ["received"]


# --- Other programs


def test_what_another_program_closed_is_moved_by_nobody_but_opened_by_staff(staff):
    row = make_foreign_row(processed=True)

    refused = [
        accept_application(application=row, staff=staff, now=NOON),
        decline_application(application=row, staff=staff, reason="No.", now=NOON),
        ask_applicant(application=row, staff=staff, question="Why?", now=NOON),
        start_review(application=row, staff=staff, now=NOON),
        withdraw_application(application=row, now=NOON),
        reopen_application(application=row, now=NOON),
    ]

    assert refused == [False] * 6
    assert ApplicationCase.objects.count() == 0
    assert reopen_application(application=row, staff=staff, now=NOON) is True
    assert tell(row) == (False, "received", "", False)
    assert kinds(row) == ["reopened"]


def test_what_another_program_closed_while_it_waited_here_is_closed_here_too(staff):
    application = make_application()
    SellerApplication.objects.update(processed=True)

    assert accept_application(application=application, staff=staff, now=NOON) is False
    assert find_standing(application) == ELSEWHERE
    assert reopen_application(application=application, staff=staff, now=NOON) is True
    assert find_standing(application) == "received"


def test_what_another_program_opened_again_waits_here_too(staff):
    application = make_application()
    decline_application(application=application, staff=staff, reason="Too little.", now=NOON)
    SellerApplication.objects.update(processed=False)

    assert find_standing(SellerApplication.objects.get()) == "received"
    assert start_review(application=application, staff=staff, now=LATER) is True
    assert tell(application) == (False, "in_review", "", False)


def test_a_second_row_with_one_address_is_decided_by_itself(staff):
    mina = make_user(email="juno@example.com")
    first, second = make_foreign_row(), make_foreign_row()

    assert decline_application(application=first, staff=staff, reason="Twice.", now=NOON) is True
    assert accept_application(application=second, staff=staff, now=NOON) is True
    assert [row.email_key for row in ApplicationCase.objects.order_by("decided_at", "status")].count(None) == 1
    assert Seller.objects.get().user == mina


def test_nothing_happens_to_an_application_that_is_gone(staff):
    application = make_application()
    SellerApplication.objects.all().delete()

    assert accept_application(application=application, staff=staff, now=NOON) is False
    assert withdraw_application(application=application, now=NOON) is False
    assert ask_applicant(application=application, staff=staff, question="Why?", now=NOON) is False


def test_somebody_who_read_the_row_long_ago_decides_by_what_it_is_now(staff):
    application = make_application()
    read_before = SellerApplication.objects.select_related("case").get()
    withdraw_application(application=application, now=NOON)

    assert accept_application(application=read_before, staff=staff, now=LATER) is False
    assert tell(application) == (True, "withdrawn", "", True)


def test_a_decision_that_is_rolled_back_leaves_nothing(staff):
    application = make_application()

    @transaction.atomic
    def decide_and_fail():
        accept_application(application=application, staff=staff, now=NOON)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        decide_and_fail()

    assert tell(application) == (False, "received", "", False)
    assert mail_kinds() == ["application_received"]


# --- What staff see before they decide


@pytest.mark.parametrize("has_account", [True, False])
def test_a_draft_is_the_mail_that_goes_out_but_for_the_personal_link(staff, has_account):
    if has_account:
        make_user(email="mina@example.com")
    application = make_application(email="mina@example.com")
    draft = draft_mail(application=application, kind="application_accepted")

    accept_application(application=application, staff=staff, now=NOON)

    sent = SellerMail.objects.get(kind="application_accepted")
    moving = {"status_path", "written_at", "link_ends_at"}
    assert {name: text for name, text in draft.context.items() if name not in moving} == {
        name: text for name, text in sent.context.items() if name not in moving
    }
    assert set(draft.context) == set(sent.context)
    assert (draft.to, draft.language, draft.pk) == (sent.to, sent.language, None)
    assert draft.context["has_account"] is has_account
    assert draft.context["status_path"] == "/sell/application/personal-link/"


# --- Any sequence of moves


class ApplicationMachine(RuleBasedStateMachine):
    """Applicant and staff do whatever comes to their mind, and so does another program."""

    @initialize()
    def begin(self):
        self.staff = make_user(is_staff=True)
        self.application = make_application()
        self.now = NOON

    def tick(self):
        self.now += timedelta(minutes=1)
        return {"application": self.application, "now": self.now}

    @rule(move=st.sampled_from([withdraw_application, reopen_application]))
    def applicant_moves(self, move):
        move(**self.tick())

    @rule()
    def applicant_answers(self):
        answer_question(text="Yes.", **self.tick())

    @rule(move=st.sampled_from([accept_application, start_review, reopen_application]))
    def staff_move(self, move):
        move(staff=self.staff, **self.tick())

    @rule(question=st.sampled_from(["Why?", "How?"]))
    def staff_ask(self, question):
        ask_applicant(staff=self.staff, question=question, **self.tick())

    @rule()
    def staff_decline(self):
        decline_application(staff=self.staff, reason="No.", **self.tick())

    @rule(is_stale=st.booleans())
    def the_row_is_read_again(self, is_stale):
        fresh = SellerApplication.objects.get(pk=self.application.pk)
        self.application = self.application if is_stale else fresh

    @invariant()
    def processed_is_one_exactly_while_a_decision_stands(self):
        row = SellerApplication.objects.select_related("case").get(pk=self.application.pk)
        assert row.processed == (row.case.status in ("accepted", "declined", "withdrawn"))
        assert row.processed == (row.case.decided_at is not None)
        assert find_standing(row) == row.case.status

    @invariant()
    def the_last_move_of_the_history_is_the_standing(self):
        moved = self.application.events.exclude(kind__in=["seller_made", "noted"]).order_by("-pk").first().kind
        stands = {"review_started": "in_review", "reopened": "received", "answered": "received"}.get(moved, moved)
        assert ApplicationCase.objects.get(application=self.application).status == stands

    @invariant()
    def each_decision_of_staff_was_mailed_once(self):
        for kind in ("accepted", "declined"):
            decided = self.application.events.filter(kind=kind).count()
            assert (
                SellerMail.objects.filter(kind=f"application_{kind}", application=self.application).count() == decided
            )


class TestAnySequenceOfMoves(TestCase):
    def test_processed_is_one_exactly_while_a_decision_stands(self):
        class Machine(ApplicationMachine):
            def __init__(machine):
                super().__init__()
                machine.savepoint = transaction.savepoint()

            def teardown(machine):
                transaction.savepoint_rollback(machine.savepoint)

        run_state_machine_as_test(
            Machine, settings=hypothesis_settings(max_examples=25, stateful_step_count=12, deadline=None)
        )
