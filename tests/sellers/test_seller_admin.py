"""Applications and sellers in the admin."""

from datetime import UTC, datetime

import pytest

from catalog.browse import BrowseQuery, find_prompts
from sellers.models import Seller, SellerApplication
from tests.factories import NOON, make_prompt, make_seller, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def make_application(**fields) -> SellerApplication:
    return SellerApplication.objects.create(
        **{"name": "Applicant", "email": "applicant@example.com", "created_at": NOON, **fields}
    )


def act(client, model, action, *rows):
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    page = client.post(f"/admin/sellers/{model}/", data, follow=True)
    return [str(message) for message in page.context["messages"]]


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("model", ["sellerapplication", "seller"])
def test_lists_cost_the_same_however_long(staff, model, count, django_assert_max_num_queries):
    for _ in range(count):
        make_application()
        make_seller()

    with django_assert_max_num_queries(10):
        page = staff.get(f"/admin/sellers/{model}/")

    assert page.context["cl"].result_count == count


def test_applications_open_whatever_another_program_wrote(staff):
    make_application(categories=["번역", 3])
    make_application(categories={"a": 1})
    make_application(categories="text")

    page = staff.get("/admin/sellers/sellerapplication/")

    assert "번역, 3" in page.text


def test_open_applications_come_first_and_oldest_first(staff):
    for name, day, processed in [("done", 1, True), ("later", 3, False), ("sooner", 2, False)]:
        make_application(name=name, created_at=datetime(2026, 1, day, tzinfo=UTC), processed=processed)

    rows = staff.get("/admin/sellers/sellerapplication/").context["cl"].result_list

    assert [row.name for row in rows] == ["sooner", "later", "done"]


def test_the_date_drill_down_of_applications_reads_iso_texts(staff):
    make_application(created_at=datetime(2026, 1, 31, 20, tzinfo=UTC))  # 1 February in Seoul

    page = staff.get("/admin/sellers/sellerapplication/?created_at__year=2026&created_at__month=2&created_at__day=1")

    assert page.context["cl"].result_count == 1


def test_applications_are_marked_once(staff):
    application = make_application()

    assert act(staff, "sellerapplication", "mark_processed", application) == ["1 application was changed."]
    assert act(staff, "sellerapplication", "mark_processed", application) == ["0 applications were changed."]
    assert SellerApplication.objects.get().processed

    act(staff, "sellerapplication", "mark_open", application)
    assert not SellerApplication.objects.get().processed


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
