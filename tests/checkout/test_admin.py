"""Staff may look at money and rights, and change or delete none of it."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from checkout.models import Order, OrderLine, Purchase
from tests.factories import make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db

TABLES = ["order", "orderline", "payment", "refund", "entitlement", "purchase"]


@pytest.fixture
def staff_client(client):
    client.force_login(make_user(email="staff@example.com", is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("table", TABLES)
def test_lists_and_rows_can_be_looked_at_and_not_changed(staff_client, table):
    entitlement = make_purchase(prompt=make_prompt(prompt_text="zq7-only-for-buyers"))
    rows = {
        "order": entitlement.order_line.order,
        "orderline": entitlement.order_line,
        "payment": entitlement.order_line.order.payments.get(),
        "entitlement": entitlement,
        "purchase": entitlement.purchase,
    }

    listed = staff_client.get(f"/admin/checkout/{table}/")

    assert listed.status_code == 200
    assert staff_client.get(f"/admin/checkout/{table}/add/").status_code == 403
    if table in rows:
        address = f"/admin/checkout/{table}/{rows[table].pk}"
        shown = staff_client.get(f"{address}/change/")
        assert shown.status_code == 200
        assert "zq7-only-for-buyers" not in shown.content.decode()
        assert 'name="_save"' not in shown.content.decode()
        assert staff_client.post(f"{address}/change/", {}).status_code == 403
        assert staff_client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403


def test_the_order_is_found_by_number_mail_and_day(staff_client):
    order = make_purchase(buyer=make_user(email="mina@example.com")).order_line.order
    make_purchase()

    for query in (f"q={order.number}", "q=mina@example.com"):
        page = staff_client.get(f"/admin/checkout/order/?{query}").content.decode()
        assert page.count('class="field-number"') == 1
    by_day = staff_client.get("/admin/checkout/order/?created_at__year=2026&created_at__month=11&created_at__day=22")
    assert by_day.content.decode().count('class="field-number"') == 2


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("table", ["order", "orderline", "payment", "entitlement", "purchase"])
def test_lists_cost_the_same_however_long(staff_client, table, count, django_assert_max_num_queries):
    for _ in range(count):
        make_purchase()

    with django_assert_max_num_queries(9):
        staff_client.get(f"/admin/checkout/{table}/")


def delete_by_sql(prompt):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM prompts WHERE id = %s", [str(prompt.pk)])
    connection.check_constraints()  # what a commit does


def test_a_prompt_in_an_order_is_deleted_neither_by_the_orm_nor_by_sql():
    entitlement = make_purchase()
    prompt = entitlement.prompt

    with pytest.raises(ProtectedError):
        prompt.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        delete_by_sql(prompt)
    assert Purchase.objects.count() == OrderLine.objects.count() == 1


def test_a_prompt_of_an_unpaid_order_cannot_be_deleted_either():
    from tests.factories import make_order

    prompt = make_prompt()
    make_order(prompts=[prompt])

    with pytest.raises(ProtectedError):
        prompt.delete()


def test_a_buyer_is_not_deleted_with_their_orders():
    entitlement = make_purchase()

    with pytest.raises(ProtectedError):
        entitlement.user.delete()
    assert Order.objects.count() == 1
