"""Nobody but the seller sees or changes anything in the studio: every address of it, and everybody else."""

import re

import pytest
from django.test import Client

from accounts.models import User
from catalog.models import Listing, Prompt, PromptVersion, Review
from marketplace.roles import ROLES
from sellers.models import Seller, SellerBusiness
from sellers.studio.urls import urlpatterns
from tests.factories import make_business, make_prompt, make_review, make_seller, make_staff, make_user

pytestmark = pytest.mark.django_db

SECRET = "뷁 the text that buyers pay for"
FORMS = {  # what would change something if it were let through, for any address of the studio
    "title": "Taken over",
    "price": "0",
    "prompt_text": "Taken over",
    "output_kind": "text",
    "language": "ko",
    "reason": "Taken over",
    "reply": "Taken over",
    "name": "Taken over",
    "bio": "Taken over",
    "slug": "taken-over",
    "trade_name": "Taken over",
    "representative": "Taken over",
    "registration_number": "123-45-67891",
    "report": "few_sales",
    "address": "Taken over",
    "phone": "02-000-0000",
    "email": "taken@example.com",
}


@pytest.fixture
def victim() -> Seller:
    seller = make_seller(slug="paper-desk", name="Paper Desk")
    make_business(seller=seller)
    prompt = make_prompt(title="Private draft", slug="draft", seller=seller, state="draft", prompt_text=SECRET)
    make_review(prompt=prompt, body="Kind words")
    return seller


def list_addresses(seller: Seller) -> list[str]:
    """Every address of the studio, its variables filled with what is the seller's. A new variable is an error."""
    return [f"/studio/{fill(str(pattern.pattern), seller)}" for pattern in urlpatterns]


def fill(address: str, seller: Seller) -> str:
    prompt = Prompt.objects.get(listing__seller=seller)
    review = Review.objects.get(prompt=prompt)
    known = {"<uuid:prompt_id>": prompt.pk, "<uuid:review_id>": review.pk, "<str:month>": "2026-11"}
    for variable, value in known.items():
        address = address.replace(variable, str(value))
    assert "<" not in address, f"say here what stands for the variables of {address}"
    return address


def own_addresses(seller: Seller) -> list[str]:
    """Those that name something of the seller's."""
    return [
        f"/studio/{fill(address, seller)}"
        for address in (str(pattern.pattern) for pattern in urlpatterns)
        if "<uuid:" in address
    ]


def remember() -> list:
    """Everything that a stranger could have changed."""
    rows = [Prompt, Listing, PromptVersion, Review, SellerBusiness]
    kept = [list(model.objects.order_by("pk").values()) for model in rows]
    return [*kept, list(Seller.objects.filter(slug="paper-desk").values())]


def sign_in(user: User | None) -> Client:
    client = Client(headers={"accept-language": "en"})
    if user:
        client.force_login(user)
    return client


def test_the_seller_does_come_in(victim):
    client = sign_in(victim.user)

    assert {client.get(address).status_code for address in own_addresses(victim)} <= {200, 302, 405}
    assert SECRET in client.get(own_addresses(victim)[0]).text


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_visitor_is_sent_to_sign_in(victim, method):
    client, before = sign_in(None), remember()

    for address in list_addresses(victim):
        answer = getattr(client, method)(address, FORMS if method == "post" else None)
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/login/"), address

    assert remember() == before


@pytest.mark.parametrize("who", ["somebody", *ROLES, "superuser"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_whoever_sells_nothing_is_led_to_the_page_about_selling(victim, who, method):
    if who == "superuser":
        user = make_user(is_staff=True, is_superuser=True)
    else:
        user = make_user() if who == "somebody" else make_staff(who)
    client, before = sign_in(user), remember()

    for address in list_addresses(victim):
        answer = getattr(client, method)(address, FORMS if method == "post" else None)
        if answer.status_code != 405:  # a page that takes no forms refuses them before it asks who sends
            assert (answer.status_code, answer["Location"]) == (302, "/sell/"), address

    assert remember() == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_seller_finds_nothing_of_it(victim, method):
    client, before = sign_in(make_seller().user), remember()

    for address in own_addresses(victim):
        answer = getattr(client, method)(address, FORMS if method == "post" else None)
        assert answer.status_code in (404, 405), address
        assert SECRET not in answer.text

    assert remember() == before


def test_another_sellers_pages_hold_nothing_of_it(victim):
    client = sign_in(make_seller().user)

    for address in set(list_addresses(victim)) - set(own_addresses(victim)):
        answer = client.get(address)
        if answer.status_code == 200 and not answer.streaming:
            assert "Private draft" not in answer.text, address
            assert "Paper Desk" not in answer.text, address


def test_a_suspended_seller_reads_and_changes_nothing(victim):
    Seller.objects.filter(pk=victim.pk).update(status="suspended")
    client, before = sign_in(victim.user), remember()

    for address in list_addresses(victim):
        assert client.get(address).status_code in (200, 302, 404, 405), address
        answer = client.post(address, FORMS)
        assert answer.status_code in (403, 405), address

    assert remember() == before
    home = client.get("/studio/").text
    assert "Your seller page is suspended" in home
    assert "listings and replies cannot be changed" in home
    assert "/studio/listings/new/" not in home


def test_no_page_of_the_studio_is_kept_by_a_cache(victim):
    client = sign_in(victim.user)

    for address in list_addresses(victim):
        answer = client.get(address)
        if answer.status_code == 200:
            assert "no-store" in answer["Cache-Control"], address


def test_an_address_of_nothing_is_not_found(victim):
    client = sign_in(victim.user)

    for address in own_addresses(victim):
        nothing = re.sub("[0-9a-f-]{36}", "00000000-0000-4000-8000-000000000000", address)
        assert client.get(nothing).status_code in (404, 405), address


def test_a_prompt_of_the_house_belongs_to_no_seller(victim):
    house = make_prompt()

    assert sign_in(victim.user).get(f"/studio/listings/{house.pk}/").status_code == 404
