"""An accepted applicant becomes a seller in the moment in which the address is known to be theirs."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client

from accounts.data_views import collect_personal_data
from accounts.models import User
from sellers.addresses import email_key, find_verified_user
from sellers.models import Seller, SellerApplication
from sellers.onboarding import accept_application, decline_application, find_application
from sellers.openings import claim_acceptance, claim_for_address
from sellers.retention import forget_applicant
from tests.factories import NOON, make_application, make_seller, make_user

pytestmark = pytest.mark.django_db

PASSWORDS = {"password1": "long-enough-1", "password2": "long-enough-1"}
WELCOME = "Your application was accepted: you can sell now."


@pytest.fixture
def visitor() -> Client:
    return Client(headers={"accept-language": "en"})


def accept(email="mina@example.com", **fields) -> SellerApplication:
    application = make_application(email=email, **fields)
    accept_application(application=application, staff=make_user(is_staff=True), now=NOON)
    return application


def read_code(address: str) -> str:
    texts = [message.body for message in mail.outbox if message.to == [address]]
    [code] = re.findall(r"^([A-Z]{4}-[A-Z]{4})$", texts[-1], re.MULTILINE)
    return code


def sign_up(client, email="mina@example.com", **data):
    return client.post("/accounts/signup/", {"email": email, **PASSWORDS, **data})


def enter_code(client, address="mina@example.com"):
    return client.post("/accounts/confirm-email/", {"code": read_code(address)})


def sign_in(client, user):
    return client.post("/accounts/login/", {"login": user.email, "password": "long-enough-1"})


def test_signing_up_with_the_accepted_address_opens_the_studio(visitor):
    accept(name="Mina", email="Mina@Example.com")
    sign_up(visitor, next="/studio/")
    before = Seller.objects.count()

    answered = enter_code(visitor)
    page = visitor.get(answered["Location"])

    assert before == 0
    assert answered["Location"] == "/studio/"
    assert [(seller.user, seller.name) for seller in Seller.objects.all()] == [
        (User.objects.get(email="mina@example.com"), "Mina")
    ]
    assert page.status_code == 200
    assert WELCOME in page.text


def test_an_address_that_is_only_claimed_makes_no_seller(visitor):
    accept()
    sign_up(visitor)
    visitor.post("/accounts/confirm-email/", {"code": "BBBB-BBBB"})

    mina = User.objects.get(email="mina@example.com")
    assert claim_acceptance(user=mina, now=NOON) is None
    assert Seller.objects.count() == 0


@pytest.mark.parametrize("decide", [None, decline_application])
def test_whoever_was_not_accepted_gets_an_account_and_no_seller_page(visitor, decide):
    application = make_application(email="mina@example.com")
    if decide:
        decide(application=application, staff=make_user(), reason="Too little.", now=NOON)
    sign_up(visitor)

    answered = enter_code(visitor)

    assert answered.status_code == 302
    assert Seller.objects.count() == 0


def test_changing_the_address_to_the_accepted_one_makes_the_seller(visitor):
    mina = make_user(email="old@example.com")
    accept()
    sign_in(visitor, mina)
    visitor.post("/accounts/reauthenticate/", {"password": "long-enough-1", "next": "/accounts/email/"})
    visitor.post("/accounts/email/", {"action_add": "", "email": "mina@example.com"})
    asked_for = Seller.objects.count()

    enter_code(visitor)

    assert asked_for == 0
    assert Seller.objects.get().user == mina
    assert visitor.get("/studio/").status_code == 200


def test_an_acceptance_while_somebody_is_signed_in_waits_for_nothing(visitor):
    mina = make_user(email="mina@example.com")
    sign_in(visitor, mina)

    accept()

    assert visitor.get("/studio/").status_code == 200


def test_signing_in_makes_the_seller_where_the_verification_could_not(visitor, monkeypatch):
    accept()
    sign_up(visitor)
    with monkeypatch.context() as patch:
        patch.setattr("sellers.signing_in.claim_acceptance", lambda **_: None)
        enter_code(visitor)
    missed = Seller.objects.count()

    again = Client(headers={"accept-language": "en"})
    sign_in(again, User.objects.get(email="mina@example.com"))

    assert missed == 0
    assert Seller.objects.count() == 1


def test_what_goes_wrong_stops_neither_the_verification_nor_the_sign_in(visitor, monkeypatch, caplog):
    def fail(**_):
        raise RuntimeError

    accept()
    sign_up(visitor)
    monkeypatch.setattr("sellers.signing_in.claim_acceptance", fail)

    answered = enter_code(visitor)

    assert answered.status_code == 302
    assert visitor.get("/account/").status_code == 200
    assert {record.getMessage().split(" user=")[0] for record in caplog.records} == {"acceptance not claimed"}


def test_a_verification_that_is_rolled_back_takes_the_seller_with_it():
    accept()
    mina = make_user(email="mina@example.com")
    mina.emailaddress_set.update(verified=False)

    @transaction.atomic
    def verify_and_fail():
        mina.emailaddress_set.update(verified=True)
        assert claim_acceptance(user=mina, now=NOON) is not None
        raise RuntimeError

    with pytest.raises(RuntimeError):
        verify_and_fail()

    assert Seller.objects.count() == 0
    assert claim_acceptance(user=mina, now=NOON) is None
    mina.emailaddress_set.update(verified=True)
    assert claim_acceptance(user=mina, now=NOON) is not None


def test_a_second_claim_changes_nothing():
    accept()
    mina = make_user(email="mina@example.com")

    claimed = [claim_acceptance(user=mina, now=NOON), claim_acceptance(user=mina, now=NOON)]

    assert claimed == [Seller.objects.get(), None]


def test_an_account_that_is_switched_off_claims_nothing_until_it_is_on_again():
    accept()
    mina = make_user(email="mina@example.com", is_active=False)

    assert claim_acceptance(user=mina, now=NOON) is None
    mina.is_active = True
    mina.save()
    assert claim_acceptance(user=mina, now=NOON) is not None


def test_an_acceptance_is_not_handed_on_with_the_address():
    mina = make_user(email="mina@example.com")
    accept()
    mina.emailaddress_set.update(email="new@example.com")
    User.objects.filter(pk=mina.pk).update(email="new@example.com")

    juno = make_user(email="mina@example.com")

    assert claim_acceptance(user=juno, now=NOON) is None
    assert [seller.user for seller in Seller.objects.all()] == [mina]


def test_an_acceptance_of_somebody_who_sold_already_is_not_handed_on_either():
    mina = make_user(email="mina@example.com")
    make_seller(user=mina)
    accept()
    mina.emailaddress_set.all().delete()
    User.objects.filter(pk=mina.pk).update(email="new@example.com")

    assert claim_acceptance(user=make_user(email="mina@example.com"), now=NOON) is None


def test_what_another_program_opened_again_is_no_acceptance():
    accept()
    SellerApplication.objects.update(processed=False)

    assert claim_acceptance(user=make_user(email="mina@example.com"), now=NOON) is None


def test_an_accepted_row_whose_address_has_another_case_already_is_claimed_too():
    make_application(email="mina@example.com")
    row = SellerApplication.objects.create(name="Mina", email="MINA@example.com", created_at=NOON)
    accept_application(application=row, staff=make_user(is_staff=True), now=NOON)

    assert claim_acceptance(user=make_user(email="mina@example.com"), now=NOON) is not None


def test_a_verification_in_the_moment_of_the_decision_is_found_after_it(
    django_capture_on_commit_callbacks, monkeypatch
):
    """The request that verifies does not see the decision yet, and the decision does not see the verification."""
    application = make_application(email="mina@example.com")
    with monkeypatch.context() as patch, django_capture_on_commit_callbacks(execute=True):
        patch.setattr("sellers.onboarding.find_verified_user", lambda email: None)
        mina = make_user(email="mina@example.com")
        accept_application(application=application, staff=make_user(is_staff=True), now=NOON)
        assert Seller.objects.count() == 0

    assert Seller.objects.get().user == mina


def test_looking_for_somebody_who_is_not_there_makes_nothing():
    accept()

    assert claim_for_address(email="mina@example.com", now=NOON + timedelta(days=1)) is None


@pytest.mark.parametrize("domain", ["gma\u0131l.com", "gm\u00e0il.com"])  # ı is I in capitals to PostgreSQL, as i is
def test_an_address_that_only_looks_alike_is_somebody_elses(domain):
    """Anybody may own such a domain: no seller page of it, no data, no link, and nothing of it erased."""
    application, twin = accept(email="mina@gmail.com"), make_user(email=f"mina@{domain}")

    claim_acceptance(user=twin, now=NOON)

    assert find_verified_user("mina@gmail.com") is None
    assert find_application(email_key(twin.email)) is None
    assert collect_personal_data(twin, now=NOON)["seller_applications"] == []
    forget_applicant(user=twin)
    assert SellerApplication.objects.filter(pk=application.pk).exists()
    assert not Seller.objects.exists()


def test_signing_in_costs_people_who_never_applied_four_looks(django_assert_num_queries):
    user = make_user()

    with django_assert_num_queries(4):  # a seller, the addresses, applications sent with them, an acceptance
        claim_acceptance(user=user, now=NOON)
