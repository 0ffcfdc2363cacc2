import threading

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client

from accounts.deletion import DeletionRefused, erase_account
from accounts.models import Profile, User
from accounts.profiles import change_avatar
from catalog.listings import withdraw_prompt
from catalog.models import Listing, Review
from checkout.models import CartItem, Preset, Purchase
from checkout.presets import save_preset
from sellers import onboarding
from sellers.business import forget_business
from sellers.models import ApplicationEvent, Seller, SellerApplication, SellerBusiness, SellerMail
from sellers.onboarding import accept_application, decline_application
from sellers.retention import forget_applicant
from tests.accounts.pictures import draw, upload
from tests.factories import (
    NOON,
    make_application,
    make_business,
    make_order,
    make_prompt,
    make_purchase,
    make_review,
    make_seller,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mina():
    return make_user(email="mina@example.com", nickname="Mina")


# --- The use case


def test_an_erased_account_keeps_nothing_personal(mina):
    Authenticator.objects.create(user=mina, type=Authenticator.Type.TOTP, data={"secret": "x"})
    CartItem.objects.create(user=mina, prompt=make_prompt())

    assert erase_account(user=mina, now=NOON) is True

    row = User.objects.get()
    assert row.email == f"deleted-{row.handle}@deleted.invalid"
    assert (row.is_active, row.is_staff, row.is_superuser, row.last_login) == (False, False, False, None)
    assert row.deleted_at == NOON
    assert not row.has_usable_password()
    assert row.emailaddress_set.count() == 0
    assert Profile.objects.count() == Authenticator.objects.count() == CartItem.objects.count() == 0


def test_a_second_call_is_harmless(mina):
    erase_account(user=mina, now=NOON)
    before = User.objects.values().get()

    assert erase_account(user=User.objects.get(), now=NOON.replace(hour=13)) is False
    assert User.objects.values().get() == before


def test_staff_rights_go_with_the_account():
    boss = make_user(is_staff=True, is_superuser=True)

    erase_account(user=boss, now=NOON)

    boss.refresh_from_db()
    assert (boss.is_staff, boss.is_superuser) == (False, False)


def test_the_avatar_is_deleted_once_it_is_committed(mina, django_capture_on_commit_callbacks):
    name = change_avatar(user=mina, upload=upload(draw()), now=NOON).avatar_name

    with django_capture_on_commit_callbacks(execute=True):
        erase_account(user=User.objects.get(), now=NOON)

    assert not default_storage.exists(name)


def test_purchases_stay_and_reviews_stay_under_no_name(mina, visitor):
    prompt = make_prompt(slug="tea")
    Purchase.objects.create(buyer=mina, prompt=prompt, payment_order_id="order-1")
    make_review(prompt=prompt, author=mina, body="Good leaves.")

    erase_account(user=mina, now=NOON)

    assert Purchase.objects.get().buyer == mina
    assert Review.objects.get().body == "Good leaves."
    page = visitor.get("/prompts/tea/").text
    assert "Good leaves." in page
    assert "Former member" in page
    assert "Mina" not in page
    assert mina.handle not in page


def test_the_address_is_free_for_a_new_account(mina):
    erase_account(user=mina, now=NOON)

    again = make_user(email="mina@example.com")

    assert again.pk != mina.pk


def test_a_seller_with_listings_on_sale_withdraws_them_first(mina):
    make_prompt(seller=make_seller(user=mina))

    with pytest.raises(DeletionRefused):
        erase_account(user=mina, now=NOON)

    mina.refresh_from_db()
    assert (mina.email, mina.deleted_at) == ("mina@example.com", None)


@pytest.mark.parametrize("status", ["confirming", "waiting"])
def test_an_order_whose_payment_is_under_way_is_finished_first(mina, status):
    make_order(buyer=mina, status=status)

    with pytest.raises(DeletionRefused):
        erase_account(user=mina, now=NOON)

    mina.refresh_from_db()
    assert mina.deleted_at is None


def test_orders_that_are_over_stay_with_what_the_law_keeps(mina):
    bought = make_purchase(buyer=mina, now=NOON)
    make_order(buyer=mina, status="pending")

    assert erase_account(user=mina, now=NOON) is True

    assert mina.orders.count() == 2
    assert Purchase.objects.get() == bought.purchase


def test_business_facts_go_with_the_account_unless_somebody_bought(mina):
    seller = make_seller(user=mina)
    make_business(seller=seller)
    make_order(prompts=[make_prompt(seller=seller, state=Listing.State.WITHDRAWN)])  # never paid

    erase_account(user=mina, now=NOON, forget=[forget_business])

    assert SellerBusiness.objects.count() == 0


def test_whoever_bought_still_reads_who_sold_it_when_the_seller_is_gone(mina, visitor):
    seller = make_seller(user=mina)
    make_business(seller=seller, trade_name="Mina Tea")
    bought = make_purchase(prompt=make_prompt(slug="tea", seller=seller))
    withdraw_prompt(prompt=bought.prompt, reason="", now=NOON)

    erase_account(user=mina, now=NOON, forget=[forget_business])

    visitor.force_login(bought.user)
    assert "Mina Tea" in visitor.get("/prompts/tea/").text
    assert "Mina Tea" in visitor.get(f"/orders/{bought.order_line.order.number}/receipt/").text
    assert forget_business(user=mina) is False


def test_the_page_of_a_seller_without_listings_on_sale_is_closed(mina, visitor):
    seller = make_seller(user=mina, slug="mina-shop", bio="About me.", website_url="https://mina.example/")
    make_prompt(seller=seller, state=Listing.State.WITHDRAWN)

    erase_account(user=mina, now=NOON)

    seller.refresh_from_db()
    assert (seller.status, seller.bio, seller.website_url) == ("suspended", "", "")
    assert visitor.get("/sellers/mina-shop/").status_code == 404


def test_applications_sent_with_a_confirmed_address_go_with_the_account(mina):
    staff = make_user(is_staff=True)
    waiting, decided = make_application(email="MINA@example.com"), make_application(email="old@example.com")
    others = make_application(email="juno@example.com")
    mina.emailaddress_set.create(email="old@example.com", verified=True)
    mina.emailaddress_set.create(email="juno@example.com", verified=False)
    decline_application(application=decided, staff=staff, reason="Too little.", now=NOON)

    erase_account(user=mina, now=NOON, forget=[forget_applicant])

    assert list(SellerApplication.objects.all()) == [others]
    assert waiting.pk not in ApplicationEvent.objects.values_list("application", flat=True)
    assert set(SellerMail.objects.values_list("to", flat=True)) == {"juno@example.com"}


def test_mails_to_a_seller_go_with_the_account_and_the_seller_stays(mina):
    seller, other = make_seller(user=mina), make_seller()
    for row in (seller, other):
        SellerMail.objects.create(key=f"first:{row.pk}", kind="first_sale", to=row.user.email, seller=row)

    erase_account(user=mina, now=NOON, forget=[forget_applicant])

    assert [mail.seller for mail in SellerMail.objects.all()] == [other]
    assert Seller.objects.filter(pk=seller.pk).exists()


def test_nothing_is_forgotten_when_the_account_stays(mina):
    make_application(email="mina@example.com")
    make_prompt(seller=make_seller(user=mina))

    with pytest.raises(DeletionRefused):
        erase_account(user=mina, now=NOON, forget=[forget_applicant])

    assert SellerApplication.objects.count() == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time: nothing to wait for in a circle")
@pytest.mark.django_db(transaction=True)
def test_an_account_erased_while_its_application_is_accepted_is_gone_with_the_seller_page_closed(monkeypatch):
    mina, application = make_user(email="mina@example.com"), make_application(email="mina@example.com")
    erased, mail_decision = [], onboarding.mail_decision

    def erase():
        try:
            person = User.objects.get(pk=mina.pk)
            erased.append(erase_account(user=person, now=NOON, forget=[forget_applicant]))
        finally:
            connection.close()

    other = threading.Thread(target=erase)

    def mail_while_the_account_is_erased(*arguments, **options):
        mail_decision(*arguments, **options)
        other.start()
        other.join(timeout=1)  # it waits for the application

    monkeypatch.setattr(onboarding, "mail_decision", mail_while_the_account_is_erased)
    accepted = accept_application(application=application, staff=make_user(is_staff=True), now=NOON)
    other.join(timeout=30)

    assert (accepted, erased) == (True, [True])
    assert not SellerApplication.objects.exists()
    assert Seller.objects.get(user=mina).status == "suspended"


# --- The pages


@pytest.fixture
def signed_in(visitor, sign_in, mina):
    sign_in(visitor, mina)
    return visitor


def delete(client, word="delete"):
    return client.post("/account/delete/confirm/", {"word": word})


def test_the_first_step_says_what_goes_what_stays_and_for_how_long(signed_in):
    page = signed_in.get("/account/delete/").text

    assert "What goes, at once and for good" in page
    assert "5 years" in page
    assert 'href="/account/delete/confirm/"' in page


def test_the_second_step_asks_for_the_password(signed_in, mina):
    posted = delete(signed_in)
    asked = signed_in.get(posted["Location"])

    assert posted["Location"] == "/account/delete/confirm/"
    assert asked["Location"].startswith("/accounts/reauthenticate/?next=")
    mina.refresh_from_db()
    assert mina.deleted_at is None


@pytest.mark.parametrize("word", ["", "yes", "deleted"])
def test_the_second_step_asks_for_the_word(signed_in, confirm_password, mina, word):
    confirm_password(signed_in, "/account/delete/confirm/")

    answered = delete(signed_in, word)

    assert answered.status_code == 422
    mina.refresh_from_db()
    assert mina.deleted_at is None


@pytest.mark.parametrize("word", ["delete", " DELETE ", "삭제"])
def test_with_both_the_account_is_gone(signed_in, confirm_password, mina, word):
    confirm_password(signed_in, "/account/delete/confirm/")

    make_application(email="mina@example.com")
    right = make_purchase(buyer=mina, is_open=True)
    save_preset(entitlement=right, name="spring", values={"guest": "Han"}, now=NOON)

    answered = delete(signed_in, word)

    assert answered["Location"] == "/account/deleted/"
    assert Preset.objects.count() == 0
    assert SellerApplication.objects.count() == 0
    assert "The account is deleted" in signed_in.get("/account/deleted/").text
    mina.refresh_from_db()
    assert mina.deleted_at is not None


def test_every_session_ends(signed_in, confirm_password, sign_in, mina):
    phone = Client()
    sign_in(phone, mina)
    confirm_password(signed_in, "/account/delete/confirm/")

    delete(signed_in)

    assert [client.get("/account/").status_code for client in (signed_in, phone)] == [302, 302]
    assert UserSession.objects.count() == 0
    assert not any("_auth_user_id" in session.get_decoded() for session in Session.objects.all())


def test_a_deleted_account_neither_signs_in_nor_gets_a_reset_link(visitor, mina):
    erase_account(user=mina, now=NOON)
    mina.refresh_from_db()

    for address in ("mina@example.com", mina.email):
        answered = visitor.post("/accounts/login/", {"login": address, "password": "long-enough-1"})
        assert answered.status_code == 200
        visitor.post("/accounts/password/reset/", {"email": address})
    assert mail.outbox == []


def test_a_reset_link_of_before_is_worthless(visitor, mina):
    visitor.post("/accounts/password/reset/", {"email": mina.email})
    link = next(line for line in mail.outbox[-1].body.splitlines() if "/password/reset/key/" in line)

    erase_account(user=mina, now=NOON)

    assert "This link no longer works" in visitor.get(link, follow=True).text


def test_a_seller_reads_what_to_do_first_and_gets_no_further(signed_in, confirm_password, mina):
    make_prompt(seller=make_seller(user=mina))

    page = signed_in.get("/account/delete/").text
    confirm = signed_in.post(
        "/accounts/reauthenticate/", {"password": "long-enough-1", "next": "/account/delete/confirm/"}
    )
    second = signed_in.get(confirm["Location"])
    posted = delete(signed_in)

    assert "1 of your prompts is on sale. Withdraw it first" in page
    assert 'href="/account/delete/confirm/"' not in page
    assert (second["Location"], posted["Location"]) == ("/account/delete/", "/account/delete/")


def test_the_public_profile_is_gone(mina, visitor):
    erase_account(user=mina, now=NOON)

    assert visitor.get(f"/people/{mina.handle}/").status_code == 404


def test_who_signs_in_from_the_last_page_is_not_told_of_a_deletion(signed_in):
    assert signed_in.get("/account/deleted/")["Location"] == "/"
