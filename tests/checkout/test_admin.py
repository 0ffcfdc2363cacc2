"""Staff may look at money and rights, and change or delete none of it; nor may anybody else."""

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from checkout import admin as order_admin_package
from checkout.models import (
    Entitlement,
    LedgerEntry,
    Order,
    OrderConsent,
    OrderLine,
    OrderMail,
    Payment,
    PaymentEvent,
    Payout,
    Purchase,
    Refund,
    RefundLine,
    Statement,
)
from tests.factories import (
    NOON,
    make_order,
    make_paid_order,
    make_payout,
    make_prompt,
    make_purchase,
    make_refund,
    make_seller,
    make_statement,
    make_user,
)

pytestmark = pytest.mark.django_db

MODELS = {
    "order": Order,
    "orderline": OrderLine,
    "payment": Payment,
    "refund": Refund,
    "entitlement": Entitlement,
    "purchase": Purchase,
    "ledgerentry": LedgerEntry,
    "paymentevent": PaymentEvent,
    "ordermail": OrderMail,
    "statement": Statement,
    "payout": Payout,
}


@pytest.fixture
def staff_client(client):
    client.force_login(make_user(email="staff@example.com", is_staff=True, is_superuser=True))
    client.cookies["django_language"] = "en"
    return client


def make_everything(**fields) -> Order:
    """An order with a row in each of the tables, one line given back by staff, its seller paid."""
    seller = make_seller(name="Paper Desk")
    order = make_paid_order(
        prompts=[
            make_prompt(title="Letter", price=9_900, seller=seller, prompt_text="zq7-only-for-buyers"),
            make_prompt(title="Poem", price=5_000),
        ],
        **fields,
    )
    OrderConsent.objects.create(order=order, key="order", version="1", text="I agree.", accepted_at=NOON)
    line = order.lines.get(position=2)
    make_refund(order=order, lines=[line], status="done", reason="staff", note="x", requested_by=make_user())
    PaymentEvent.objects.create(order=order, kind="staff", outcome="ask_again", actor=make_user(), at=NOON)
    make_payout(statement=make_statement(seller=seller))
    return order


@pytest.fixture
def in_korean(client):
    client.cookies["django_language"] = "ko"


# --- To look at


@pytest.mark.parametrize("table", MODELS)
def test_lists_and_rows_can_be_looked_at_and_not_changed(staff_client, table):
    make_everything()
    row = MODELS[table].objects.order_by("pk").first()
    address = f"/admin/checkout/{table}/{row.pk}"

    listed = staff_client.get(f"/admin/checkout/{table}/")
    shown = staff_client.get(f"{address}/change/")

    assert (listed.status_code, shown.status_code) == (200, 200)
    assert "zq7-only-for-buyers" not in shown.content.decode()
    assert 'name="_save"' not in shown.content.decode()
    assert f"{address}/delete/" not in shown.content.decode()
    assert 'value="delete_selected"' not in listed.content.decode()
    assert staff_client.get(f"/admin/checkout/{table}/add/").status_code == 403
    assert staff_client.post(f"{address}/change/", {}).status_code == 403
    before = MODELS[table].objects.count()
    assert staff_client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes", "index": "0"}
    staff_client.post(f"/admin/checkout/{table}/", chosen)
    assert MODELS[table].objects.count() == before


@pytest.mark.parametrize("table", MODELS)
def test_a_page_is_headed_by_what_people_call_the_row(staff_client, table):
    order = make_everything()
    row = MODELS[table].objects.order_by("pk").first()

    page = staff_client.get(f"/admin/checkout/{table}/{row.pk}/change/")

    assert any(name in page.context["subtitle"] for name in (order.number, "Letter", "Poem", "Paper Desk"))
    assert str(row.pk) not in page.context["subtitle"].split()
    assert f"› {page.context['subtitle']}" in " ".join(page.content.decode().split())


@pytest.mark.parametrize("table", MODELS)
def test_lists_and_pages_are_korean_throughout(staff_client, in_korean, table):
    make_everything()
    row = MODELS[table].objects.order_by("pk").first()

    listed = staff_client.get(f"/admin/checkout/{table}/")
    shown = staff_client.get(f"/admin/checkout/{table}/{row.pk}/change/")

    labels = [str(header["text"]) for header in get_headers(listed)]
    labels += [str(field.label_tag()) for fieldset in shown.context["adminform"] for line in fieldset for field in line]
    labels += [str(spec.title) for spec in listed.context["cl"].filter_specs]
    labels += [str(column["label"]) for inline in shown.context["inline_admin_formsets"] for column in inline.fields()]
    english = [label for label in labels if not any("가" <= letter <= "힣" for letter in label)]
    assert [label for label in english if "checkbox" not in label and "ID" not in label] == []


def get_headers(listed):
    from django.contrib.admin.templatetags.admin_list import result_headers

    return list(result_headers(listed.context["cl"]))


def test_the_order_is_found_by_whatever_staff_have_of_it(staff_client):
    order = make_everything(buyer=make_user(email="mina@example.com"), email="receipts@example.com")
    make_paid_order()
    payment = order.payments.get()

    for query in (
        order.number,
        "mina@example.com",
        "receipts@example.com",
        "Letter",
        payment.payment_key,
        payment.payment_key[:12],
        payment.provider_order_id,
    ):
        listed = staff_client.get("/admin/checkout/order/", {"q": query}).context["cl"].result_list
        assert list(listed) == [order], query
    by_day = staff_client.get("/admin/checkout/order/?created_at__year=2026&created_at__month=11&created_at__day=22")
    assert len(by_day.context["cl"].result_list) == 2


@pytest.mark.parametrize("table", ["payment", "refund", "ledgerentry", "paymentevent", "ordermail", "entitlement"])
def test_what_belongs_to_an_order_is_found_by_its_number(staff_client, table):
    order = make_everything()
    other = make_everything()

    listed = staff_client.get(f"/admin/checkout/{table}/", {"q": order.number}).context["cl"].result_list

    assert listed
    other_rows = staff_client.get(f"/admin/checkout/{table}/", {"q": other.number}).context["cl"].result_list
    assert not {row.pk for row in listed} & {row.pk for row in other_rows}


def test_lists_cost_the_same_however_long(staff_client):
    def count_queries() -> dict[str, int]:
        counts = {}
        for table in MODELS:
            with CaptureQueriesContext(connection) as asked:
                listed = staff_client.get(f"/admin/checkout/{table}/")
            assert len(listed.context["cl"].result_list) == min(50, MODELS[table].objects.count())
            counts[table] = len(asked)
        return counts

    make_everything()
    one = count_queries()
    for _ in range(49):
        make_everything()

    assert count_queries() == one
    assert max(one.values()) <= 10


@pytest.mark.parametrize("table", ["payment", "refund", "entitlement", "purchase", "paymentevent", "ledgerentry"])
def test_filters_narrow_the_lists(staff_client, table):
    make_everything()
    filters = {
        "payment": ("status__exact=paid", "status__exact=failed"),
        "refund": ("status__exact=done", "status__exact=failed"),
        "entitlement": ("state=revoked", "revoked_reason__exact=staff"),
        "purchase": ("q=Poem", "q=Nothing"),
        "paymentevent": ("kind__exact=staff", "hints=open"),
        "ledgerentry": ("account__exact=fee", "account__exact=buyer"),
    }
    some, none = filters[table]

    assert staff_client.get(f"/admin/checkout/{table}/?{some}").context["cl"].result_list
    assert not staff_client.get(f"/admin/checkout/{table}/?{none}").context["cl"].result_list


def test_hints_that_belong_to_no_order_are_listed(staff_client):
    PaymentEvent.objects.create(kind="webhook", outcome="DONE", dedup_key="a", at=NOON)
    PaymentEvent.objects.create(kind="webhook", outcome="DONE", dedup_key="b", at=NOON, handled_at=NOON)

    open_ones = staff_client.get("/admin/checkout/paymentevent/?hints=open").context["cl"].result_list
    handled = staff_client.get("/admin/checkout/paymentevent/?hints=handled").context["cl"].result_list

    assert [event.dedup_key for event in open_ones] == ["a"]
    assert [event.dedup_key for event in handled] == ["b"]
    page = staff_client.get(f"/admin/checkout/paymentevent/{open_ones[0].pk}/change/")
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("state", "titles"), [("sealed", ["Letter"]), ("opened", ["Read"]), ("revoked", ["Poem"]), ("", None)]
)
def test_rights_are_listed_by_their_state(staff_client, state, titles):
    make_everything()
    make_purchase(prompt=make_prompt(title="Read"), is_open=True)

    listed = staff_client.get(f"/admin/checkout/entitlement/?state={state}").context["cl"].result_list

    assert sorted(right.prompt.title for right in listed) == (titles or ["Letter", "Poem", "Read"])


# --- Addresses that cannot be


ADMIN_LISTS = [
    ("checkout/order", "created_at"),
    ("checkout/payment", "requested_at"),
    ("checkout/ledgerentry", "booked_at"),
    ("checkout/orderline", "order__created_at"),
    ("catalog/prompt", "created_at"),
    ("catalog/review", "created_at"),
    ("checkout/statement", "month"),
    ("checkout/payout", "paid_on"),
    ("sellers/seller", "created_at"),
    ("sellers/sellerapplication", "created_at"),
    ("accounts/user", "date_joined"),
    ("mcp/mcpserver", "created_at"),
]


@pytest.mark.parametrize(("table", "column"), ADMIN_LISTS)
def test_a_time_that_cannot_be_is_no_error_of_ours(staff_client, table, column):
    staff_client.raise_request_exception = False
    queries = [
        "{}__year=9223372036854775808",
        "{}__year=10000",
        "{}__year=9999&{}__month=12&{}__day=31",
        "{}__year=0",
        "{}__year=2026&{}__month=13",
        "{}__year__gte=9223372036854775808",
        "{}__year__lt=99999",
        "{}__gte=9999999-99-99",
        "p=99999999999999999999",
    ]

    for query in queries:
        answer = staff_client.get(f"/admin/{table}/?{query.replace('{}', column)}")
        assert answer.status_code in (200, 302, 400), query


def test_an_error_that_is_ours_is_not_taken_for_a_bad_address(staff_client, monkeypatch):
    def fail(self, request):
        raise ValueError

    monkeypatch.setattr("checkout.admin.orders.OrderAdmin.get_queryset", fail)

    with pytest.raises(ValueError):
        staff_client.get("/admin/checkout/order/")


@pytest.mark.parametrize(
    "query", ["total_krw__gte=9223372036854775808", "total_krw=99999999999999999999", "id__exact=x", "o=99.99.99"]
)
def test_a_number_that_cannot_be_is_no_error_of_ours(staff_client, query):
    staff_client.raise_request_exception = False

    assert staff_client.get(f"/admin/checkout/order/?{query}").status_code in (200, 302, 400)


# --- Secrets


SECRETS = [
    ("order", "request_token"),
    ("payment", "reference"),
    ("payment", "idempotency_key"),
    ("refund", "idempotency_key"),
    ("paymentevent", "dedup_key"),
]


@pytest.mark.parametrize(("table", "column"), SECRETS)
def test_no_list_can_be_filtered_by_a_secret(staff_client, table, column):
    make_everything()

    for lookup in (column, f"{column}__startswith", f"{column}__gt"):
        assert staff_client.get(f"/admin/checkout/{table}/?{lookup}=a").status_code == 400


@pytest.mark.parametrize(
    ("table", "lookup"),
    [
        ("order", "payments__idempotency_key"),
        ("payment", "order__request_token"),
        ("refund", "payment__reference"),
        ("paymentevent", "payment__idempotency_key"),
        ("ledgerentry", "refund__idempotency_key"),
        ("ordermail", "order__request_token"),
        ("entitlement", "prompt__prompt_text"),
        ("purchase", "prompt__file_url"),
    ],
)
def test_nor_by_a_secret_of_another_table(staff_client, table, lookup):
    make_everything()

    assert staff_client.get(f"/admin/checkout/{table}/?{lookup}__startswith=a").status_code == 400


def test_the_payment_key_stands_on_the_page_of_the_payment_and_nowhere_else(staff_client):
    make_everything()
    payment = Payment.objects.get()
    key = payment.payment_key

    holding = []
    for table, model in MODELS.items():
        row = model.objects.order_by("pk").first()
        for address in (f"/admin/checkout/{table}/", f"/admin/checkout/{table}/{row.pk}/change/"):
            if key in staff_client.get(address).content.decode():
                holding.append(address)

    assert holding == [f"/admin/checkout/payment/{payment.pk}/change/"]


def test_without_the_permission_nobody_sees_the_key(client):
    make_everything()
    payment = Payment.objects.get()
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "view_refund"]))
    client.force_login(staff)

    assert client.get(f"/admin/checkout/payment/{payment.pk}/change/").status_code == 403
    assert client.get(f"/admin/checkout/order/{payment.order_id}/change/").status_code == 200


# --- Nothing paid is deleted


def delete_by_sql(table: str, pk) -> None:
    column = "id"
    value = pk.hex if hasattr(pk, "hex") and connection.vendor == "sqlite" and is_stored_as_hex(table) else str(pk)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE {column} = %s", [value])
        assert cursor.rowcount == 1
    connection.check_constraints()  # what a commit does


def is_stored_as_hex(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} LIMIT 1")
        return "-" not in str(cursor.fetchone()[0])


@pytest.mark.parametrize("model", [Order, OrderLine, Payment, Refund, Purchase, Entitlement])
def test_the_orm_refuses_to_delete_what_was_paid(model):
    make_everything()
    right = Entitlement.objects.filter(opened_at__isnull=True).first()
    right.access_events.create(kind="read", at=NOON)
    row = right if model is Entitlement else model.objects.order_by("pk").first()
    if model is Purchase:
        row = right.purchase

    with pytest.raises(ProtectedError):
        row.delete()
    with pytest.raises(ProtectedError):
        model.objects.filter(pk=row.pk).delete()
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("table", ["orders", "order_lines", "payments", "refunds", "purchases", "entitlements"])
def test_the_database_refuses_to_delete_what_was_paid(table):
    order = make_everything()
    right = Entitlement.objects.live().get()
    right.access_events.create(kind="read", at=NOON)
    line = right.order_line
    pks = {
        "orders": order.pk,
        "order_lines": line.pk,
        "payments": order.payments.get().pk,
        "refunds": order.refunds.get().pk,
        "purchases": right.purchase_id,
        "entitlements": right.pk,
    }

    with pytest.raises(DatabaseError), transaction.atomic():
        delete_by_sql(table, pks[table])
    assert Order.objects.count() == Payment.objects.count() == Refund.objects.count() == 1
    assert Entitlement.objects.count() == Purchase.objects.count() == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_entries SET amount_krw = amount_krw + 1",
        "UPDATE ledger_entries SET booked_at = NULL",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries CASCADE",
    ],
)
def test_the_database_refuses_to_change_the_ledger(sql):
    make_everything()
    before = list(LedgerEntry.objects.order_by("pk").values())
    if sql.startswith("TRUNCATE") and connection.vendor == "sqlite":
        sql = "DELETE FROM ledger_entries WHERE 1"  # SQLite has no TRUNCATE; this is what stands for it
    connection.check_constraints()  # PostgreSQL refuses to empty a table while it still has some to check

    with pytest.raises(DatabaseError, match="never"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert before
    assert list(LedgerEntry.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("change", ["update", "delete", "row", "save"])
def test_the_orm_changes_no_entry_of_the_ledger(change):
    make_paid_order()
    entry = LedgerEntry.objects.order_by("pk").first()
    changes = {
        "update": lambda: LedgerEntry.objects.update(amount_krw=1),
        "delete": lambda: LedgerEntry.objects.all().delete(),
        "row": entry.delete,
        "save": entry.save,
    }

    with pytest.raises(DatabaseError, match="never"), transaction.atomic():
        changes[change]()


def test_a_prompt_in_an_order_is_deleted_neither_by_the_orm_nor_by_sql():
    entitlement = make_purchase()
    prompt = entitlement.prompt

    with pytest.raises(ProtectedError):
        prompt.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        delete_by_sql("prompts", prompt.pk)
    assert Purchase.objects.count() == OrderLine.objects.count() == 1


def test_a_prompt_of_an_unpaid_order_cannot_be_deleted_either():
    prompt = make_prompt()
    make_order(prompts=[prompt])

    with pytest.raises(ProtectedError):
        prompt.delete()


@pytest.mark.parametrize("owner", ["buyer", "seller", "version"])
def test_nothing_goes_with_its_buyer_seller_or_version(owner):
    order = make_everything()
    line = order.lines.get(position=1)
    row = {"buyer": order.buyer, "seller": line.seller, "version": line.version}[owner]

    with pytest.raises(ProtectedError):
        row.delete()
    assert [model.objects.exists() for model in MODELS.values()] == [True] * len(MODELS)


def test_staff_who_leave_take_nothing_with_them():
    make_everything()
    staff = Refund.objects.get().requested_by

    staff.delete()

    assert Refund.objects.get().requested_by is None


def test_every_table_of_buying_that_holds_money_is_in_the_admin_and_read_only():
    from django.contrib import admin

    assert order_admin_package.orders
    unlisted = {
        *(
            "cartitem",
            "cartprice",
            "orderconsent",
            "refundline",
            "accessevent",
            "sandboxpayment",
            "statemententry",
            "preset",
        ),
    }
    registered = {
        model._meta.model_name: page
        for model, page in admin.site._registry.items()
        if model._meta.app_label == "checkout"
    }
    assert set(registered) == set(MODELS)
    from django.apps import apps

    assert {model._meta.model_name for model in apps.get_app_config("checkout").get_models()} == set(MODELS) | unlisted
    for page in registered.values():
        may = [page.has_add_permission(None), page.has_change_permission(None), page.has_delete_permission(None)]
        assert may == [False, False, False]


def test_no_refunded_line_is_deleted_with_its_refund():
    make_everything()

    with pytest.raises(ProtectedError):
        Refund.objects.all().delete()
    assert RefundLine.objects.count() == 1
