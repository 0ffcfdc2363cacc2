"""Sellers and the mails to them in the admin."""

import pytest

from catalog.browse import BrowseQuery, find_prompts
from sellers.models import Seller, SellerMail
from tests.factories import (
    make_application,
    make_business,
    make_prompt,
    make_seller,
    make_staff,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def act(client, model, action, *rows):
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    page = client.post(f"/admin/sellers/{model}/", data, follow=True)
    return [str(message) for message in page.context["messages"]]


@pytest.mark.parametrize("count", [1, 50])
@pytest.mark.parametrize(("model", "queries"), [("seller", 7), ("sellermail", 6)])
def test_lists_cost_the_same_however_long(staff, model, queries, count, django_assert_num_queries):
    for _ in range(count):
        make_business(seller=make_seller())
        make_application()
    staff.get(f"/admin/sellers/{model}/")

    with django_assert_num_queries(queries):
        page = staff.get(f"/admin/sellers/{model}/")

    assert page.context["cl"].result_count == count


def test_a_suspended_seller_leaves_the_lists_and_returns(staff):
    seller = make_seller()
    make_prompt(title="A", seller=seller)

    assert act(staff, "seller", "suspend", seller) == ["1 seller was changed."]
    assert act(staff, "seller", "suspend", seller) == ["0 sellers were changed."]
    assert find_prompts(BrowseQuery()).total == 0

    assert act(staff, "seller", "reinstate", seller) == ["1 seller was changed."]
    assert find_prompts(BrowseQuery()).total == 1


def test_a_seller_is_made_by_hand_for_an_account_and_never_deleted(staff):
    user = make_user()

    form = {"user": str(user.pk), "name": "새 판매자", "slug": "새-판매자", "bio": "", "website_url": "example.com"}
    assert staff.post("/admin/sellers/seller/add/", form).status_code == 302

    seller = Seller.objects.get()
    assert (seller.user, seller.status, seller.website_url) == (user, "active", "https://example.com")
    assert staff.post(f"/admin/sellers/seller/{seller.pk}/delete/", {"post": "yes"}).status_code == 403


def test_business_facts_are_read_here_and_written_by_the_seller_alone(staff):
    seller = make_business(seller=make_seller(name="Desk"), trade_name="종이 책상").seller
    form = {
        "name": "Desk",
        "slug": seller.slug,
        "bio": "",
        "website_url": "",
        "business-TOTAL_FORMS": "1",
        "business-INITIAL_FORMS": "1",
        "business-0-seller": str(seller.pk),
        "business-0-trade_name": "Other",
    }

    assert "종이 책상" in staff.get(f"/admin/sellers/seller/{seller.pk}/change/").text
    assert staff.post(f"/admin/sellers/seller/{seller.pk}/change/", form).status_code == 302
    seller.business.refresh_from_db()
    assert seller.business.trade_name == "종이 책상"


def test_finance_finds_the_statements_of_a_seller(client):
    seller = make_seller()
    address = f"/admin/checkout/statement/?seller__id__exact={seller.pk}"

    for role, is_shown in [("finance", True), ("catalogue staff", False)]:
        client.force_login(make_staff(role))
        page = client.get(f"/admin/sellers/seller/{seller.pk}/change/")
        assert (address in page.text) == is_shown, role
        assert client.get(address).status_code == (200 if is_shown else 403), role


def test_mails_tell_whether_they_went_out_and_nothing_of_what_they_said(staff):
    make_application(email="mina@example.com", name="Mina")
    mail = SellerMail.objects.get()

    for address in ("/admin/sellers/sellermail/", f"/admin/sellers/sellermail/{mail.pk}/change/"):
        page = staff.get(address)
        assert "mina@example.com" in page.text
        assert "application received" in page.text
        assert mail.context["path"] not in page.text
    assert staff.get("/admin/sellers/sellermail/?context__icontains=a").status_code == 400
    assert staff.post(f"/admin/sellers/sellermail/{mail.pk}/change/", {"to": "x@example.com"}).status_code == 403
    assert staff.get("/admin/sellers/sellermail/add/").status_code == 403
