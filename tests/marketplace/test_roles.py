"""The roles of staff: which pages of the admin open for whom, and what each role can do there.

A page that a table below does not name for a role answers 403; a model that is not in the table fails the test, so that
no new list is open to anybody by oversight.
"""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from accounts.models import User
from catalog.models import Listing, Prompt, PromptVersion, Report
from checkout.models import Payout, Statement
from marketplace.roles import CATALOGUE, FINANCE, ROLE_NAMES, ROLES, SUPPORT, WAITLIST
from mcp.models import McpServer
from sellers.models import Seller, SellerApplication
from tests.factories import (
    NOON,
    make_application,
    make_paid_order,
    make_prompt,
    make_purchase,
    make_refund,
    make_review,
    make_seller,
    make_staff,
    make_user,
)

pytestmark = pytest.mark.django_db

# What a role sees of each table of the admin. An empty set: nobody but a superuser.
VIEWERS = {
    "accounts.user": {SUPPORT},
    "auth.group": set(),
    "catalog.prompt": {CATALOGUE},
    "catalog.report": {CATALOGUE},
    "catalog.review": {CATALOGUE},
    "checkout.entitlement": {SUPPORT},
    "checkout.ledgerentry": {FINANCE},
    "checkout.order": {SUPPORT, FINANCE},
    "checkout.orderline": {SUPPORT, FINANCE},
    "checkout.ordermail": {SUPPORT},
    "checkout.payment": {SUPPORT, FINANCE},
    "checkout.paymentevent": {SUPPORT},
    "checkout.payout": {FINANCE},
    "checkout.purchase": {SUPPORT},
    "checkout.refund": {SUPPORT, FINANCE},
    "checkout.statement": {FINANCE},
    "mcp.mcpserver": {CATALOGUE, SUPPORT},
    "sellers.seller": {CATALOGUE, FINANCE},
    "sellers.sellerapplication": {WAITLIST},
    "sellers.sellermail": {SUPPORT},
}
ADDERS = {"mcp.mcpserver": {CATALOGUE}}

OUTSIDERS = ["visitor", "shopper", "seller"]


def make_client(who: str) -> Client:
    """`who` is a role, one of OUTSIDERS, or `nobody`: staff in no group."""
    client = Client(headers={"accept-language": "en"})
    if who == "shopper":
        client.force_login(make_user())
    elif who == "seller":
        client.force_login(make_seller().user)
    elif who != "visitor":
        client.force_login(make_staff("" if who == "nobody" else who))
    return client


def list_address(model) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def test_every_list_is_for_those_whom_the_table_names():
    clients = {who: make_client(who) for who in [*ROLES, "nobody"]}

    for model in admin.site._registry:
        allowed = VIEWERS[model._meta.label_lower]
        for who, client in clients.items():
            status = client.get(list_address(model)).status_code
            assert status == (200 if who in allowed else 403), (model, who)


def test_every_form_to_add_a_row_is_for_those_whom_the_table_names():
    clients = {who: make_client(who) for who in [*ROLES, "nobody"]}

    for model in admin.site._registry:
        allowed = ADDERS.get(model._meta.label_lower, set())
        for who, client in clients.items():
            status = client.get(f"{list_address(model)}add/").status_code
            assert status == (200 if who in allowed else 403), (model, who)


@pytest.fixture
def rows():
    """One of each row with a page in the admin."""
    seller = make_seller()
    prompt = make_prompt(seller=seller, price=5_000)
    order = make_paid_order(prompts=[prompt])
    make_refund(order=order, status="done")
    make_review(prompt=prompt)
    make_application()
    McpServer.objects.create(name="Files", endpoint="https://mcp.example.com/")
    Report.objects.create(prompt=prompt, reason="copied")
    sums = {"sales_krw": 9_000, "refunds_krw": 0, "fee_krw": 900, "payable_krw": 8_100, "due_krw": 8_100}
    statement = Statement.objects.create(seller=seller, month=NOON.date().replace(day=1), **sums)
    facts = {"bank_reference": "A1", "paid_on": NOON.date(), "recorded_by": make_user()}
    Payout.objects.create(statement=statement, amount_krw=8_100, **facts)
    Group.objects.get_or_create(name="others")
    return {model._meta.label_lower: row for model in admin.site._registry if (row := model.objects.first())}


def test_every_page_of_a_row_is_for_those_whom_the_table_names(rows):
    clients = {who: make_client(who) for who in [*ROLES, "nobody"]}
    assert {model._meta.label_lower for model in admin.site._registry} <= rows.keys()

    for label, row in rows.items():
        for who, client in clients.items():
            for page in ("change", "history"):
                status = client.get(f"{list_address(row)}{row.pk}/{page}/").status_code
                assert status == (200 if who in VIEWERS[label] else 403), (label, who, page)


def test_no_role_deletes_anything(rows):
    for who in [*ROLES, "nobody"]:
        client = make_client(who)
        for label, row in rows.items():
            assert client.post(f"{list_address(row)}{row.pk}/delete/", {"post": "yes"}).status_code == 403, (label, who)


@pytest.mark.parametrize("who", OUTSIDERS)
def test_the_admin_is_closed_to_whoever_is_not_staff(who, rows):
    client = make_client(who)

    for address in ["/admin/", *(f"{list_address(row)}{page}" for row in rows.values() for page in ("", "add/"))]:
        answer = client.get(address)
        assert answer.status_code == 302, address
        assert "/login/" in answer["Location"]


# --- Acts


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("ask", {SUPPORT}), ("refund", {SUPPORT}), ("receipt", {SUPPORT}), ("history", {SUPPORT, FINANCE})],
)
def test_only_support_acts_on_orders(name, allowed):
    order = make_paid_order()

    for who in [*ROLES, "nobody"]:
        answer = make_client(who).get(f"/admin/checkout/order/{order.pk}/{name}/")
        assert answer.status_code == (200 if who in allowed else 403), who


def test_finance_is_offered_no_act_on_an_order():
    order = make_paid_order()

    for who, count in [(SUPPORT, 3), (FINANCE, 0)]:
        page = make_client(who).get(f"/admin/checkout/order/{order.pk}/change/")
        assert len(re.findall(rf"/admin/checkout/order/{order.pk}/(?:ask|refund|receipt)/", page.text)) == count, who


@pytest.mark.parametrize("name", ["ties/", "due.csv", "{statement}/payout/"])
def test_only_finance_settles_with_sellers(name):
    sums = {"sales_krw": 9_000, "refunds_krw": 0, "fee_krw": 900, "payable_krw": 8_100, "due_krw": 8_100}
    statement = Statement.objects.create(seller=make_seller(), month=NOON.date().replace(day=1), **sums)

    for who in [*ROLES, "nobody"]:
        answer = make_client(who).get(f"/admin/checkout/statement/{name.format(statement=statement.pk)}")
        assert answer.status_code == (200 if who == FINANCE else 403), who


def act(client, model: str, action: str, row, **data) -> int:
    chosen = {"action": action, "_selected_action": [str(row.pk)], **data}
    return client.post(f"/admin/{model}/", chosen).status_code


def test_only_catalogue_staff_suspend_a_seller():
    seller = make_seller()

    for who in (WAITLIST, SUPPORT):
        assert act(make_client(who), "sellers/seller", "suspend", seller) == 403
    act(make_client(FINANCE), "sellers/seller", "suspend", seller)
    seller.refresh_from_db()
    assert seller.status == Seller.Status.ACTIVE

    assert act(make_client(CATALOGUE), "sellers/seller", "suspend", seller) == 302
    seller.refresh_from_db()
    assert seller.status == Seller.Status.SUSPENDED


def test_only_catalogue_staff_move_a_prompt():
    prompt = make_prompt()

    for who in (WAITLIST, SUPPORT, FINANCE, "nobody"):
        assert act(make_client(who), "catalog/prompt", "withdraw", prompt, reason="asked") == 403
    assert Listing.objects.get().state == Listing.State.PUBLISHED

    assert act(make_client(CATALOGUE), "catalog/prompt", "withdraw", prompt, reason="asked") == 302
    assert Listing.objects.get().state == Listing.State.WITHDRAWN


def test_support_looks_at_people_and_switches_nobody_off():
    person, client = make_user(email="person@example.com"), make_client(SUPPORT)

    page = client.get(f"/admin/accounts/user/{person.pk}/change/")
    act(client, "accounts/user", "switch_off", person)
    form = {"is_active": "", "is_staff": "on", "is_superuser": "on"}

    assert "person@example.com" in page.text
    assert client.post(f"/admin/accounts/user/{person.pk}/change/", form).status_code == 403
    person.refresh_from_db()
    assert (person.is_active, person.is_staff, person.is_superuser) == (True, False, False)


def test_support_sees_which_address_of_a_person_is_verified():
    person = make_user(email="person@example.com")
    person.emailaddress_set.create(email="second@example.com", verified=False)

    assert "second@example.com" in make_client(SUPPORT).get(f"/admin/accounts/user/{person.pk}/change/").text


# --- Prompt text

TEXT = "뷁 the paid part"


def make_secret_prompt():
    return make_prompt(title="Letters", prompt_text=TEXT, file_url="private://뷁.zip", seller=make_seller())


def test_the_text_opens_for_who_may_read_it_and_it_is_written_down():
    prompt = make_secret_prompt()
    address = f"/admin/catalog/prompt/{prompt.pk}/text/"

    for who in (WAITLIST, SUPPORT, FINANCE, "nobody"):
        for answer in (make_client(who).get(address), make_client(who).post(address)):
            assert answer.status_code == 403
            assert "뷁" not in answer.text
    assert not LogEntry.objects.exists()

    client = make_client(CATALOGUE)
    assert "뷁" not in client.get(address).text
    assert TEXT in client.post(address).text
    assert LogEntry.objects.get().get_change_message() == "Looked at the text."


def make_editor() -> User:
    """Who keeps prompts and may not read what they sell."""
    editor = make_staff(CATALOGUE)
    editor.groups.clear()
    of_catalogue = Permission.objects.filter(group__name=CATALOGUE)
    editor.user_permissions.set(
        [*of_catalogue.exclude(codename="read_prompt_text"), *find_permissions("delete_prompt")]
    )
    return editor


def find_permissions(*codenames):
    return Permission.objects.filter(codename__in=codenames)


def test_who_keeps_prompts_without_that_right_meets_the_text_nowhere(client):
    prompt = make_secret_prompt()
    make_purchase(prompt=prompt)
    free = make_secret_prompt()
    client.force_login(make_editor())
    pages = [
        "",
        "?q=뷁",
        "?o=1.2.3",
        "?prompt_text__startswith=뷁",
        "?versions__prompt_text__contains=뷁",
        "?_to_field=prompt_text&_popup=1",
        "?_facets=True",
        f"{prompt.pk}/change/",
        f"{prompt.pk}/change/?_to_field=prompt_text",
        f"{prompt.pk}/history/",
        f"{prompt.pk}/text/",
        f"{free.pk}/delete/",
        "../../autocomplete/?app_label=catalog&model_name=listing&field_name=prompt&term=뷁",
        "../../autocomplete/?app_label=catalog&model_name=listing&field_name=seller&term=뷁",
        f"../../r/{free.pk}/",
    ]
    for page in pages:
        answer = client.get(f"/admin/catalog/prompt/{page}")
        body = answer.text.replace('value="뷁"', "").replace("q=뷁", "").replace("%EB%B7%81", "")
        assert "뷁" not in body, page
        assert "the paid part" not in answer.text, page

    page = client.get(f"/admin/catalog/prompt/{prompt.pk}/change/")
    assert page.status_code == 200
    assert "/text/" not in page.text
    answer = client.post(f"/admin/catalog/prompt/{prompt.pk}/text/")
    assert answer.status_code == 403
    assert "the paid part" not in answer.text
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("path", ["prompt_text__startswith=a", "file_url__startswith=a"])
def test_no_list_is_filtered_by_a_hidden_column_of_a_related_row(client, path):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    addresses = [
        f"{list_address(model)}?{field.name}__{path}"
        for model in admin.site._registry
        for field in model._meta.get_fields()
        if field.related_model in (Prompt, PromptVersion)
    ]

    assert addresses
    for address in addresses:
        assert client.get(address).status_code == 400, address


# --- Migrations


def test_each_role_has_these_rights_and_no_others():
    make_staff(WAITLIST)  # puts the groups back where another test emptied every table
    rights = {
        name: {f"{app}.{code}" for app, code in group.permissions.values_list("content_type__app_label", "codename")}
        for name, group in ((group.name, group) for group in Group.objects.filter(name__in=ROLES))
    }

    assert rights == {
        WAITLIST: {"sellers.view_sellerapplication", "sellers.change_sellerapplication"},
        CATALOGUE: {
            "catalog.view_prompt",
            "catalog.change_prompt",
            "catalog.read_prompt_text",
            "catalog.view_promptversion",
            "catalog.view_listing",
            "catalog.change_listing",
            "catalog.view_review",
            "catalog.change_review",
            "catalog.view_report",
            "catalog.change_report",
            "sellers.view_seller",
            "sellers.change_seller",
            "sellers.view_sellerbusiness",
            "mcp.view_mcpserver",
            "mcp.add_mcpserver",
            "mcp.change_mcpserver",
            "mcp.view_entry",
            "mcp.change_entry",
            "mcp.view_healthcheck",
            "mcp.view_tool",
        },
        SUPPORT: {
            "checkout.view_order",
            "checkout.change_order",
            "checkout.view_orderline",
            "checkout.view_orderconsent",
            "checkout.view_ordermail",
            "checkout.view_payment",
            "checkout.view_paymentevent",
            "checkout.view_refund",
            "checkout.change_refund",
            "checkout.view_refundline",
            "checkout.view_purchase",
            "checkout.view_entitlement",
            "checkout.view_accessevent",
            "accounts.view_user",
            "accounts.view_profile",
            "sellers.view_sellermail",
            "mcp.view_mcpserver",
            "mcp.view_entry",
            "mcp.view_healthcheck",
            "mcp.view_tool",
        },
        FINANCE: {
            "checkout.view_order",
            "checkout.view_orderline",
            "checkout.view_payment",
            "checkout.view_refund",
            "checkout.view_refundline",
            "checkout.view_ledgerentry",
            "checkout.view_statement",
            "checkout.view_statemententry",
            "checkout.view_payout",
            "checkout.add_payout",
            "sellers.view_seller",
            "sellers.view_sellerbusiness",
        },
    }


def test_permissions_made_by_migrations_are_those_that_django_makes():
    make_staff(WAITLIST)

    assert Permission.objects.filter(codename="read_prompt_text").count() == 1
    names = Permission.objects.filter(group__isnull=False).values_list("codename", "name")
    assert dict(names)["view_sellerapplication"] == "Can view seller application"
    assert dict(names)["read_prompt_text"] == "Can read the text of any prompt (logged)"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_roles_go_and_come_back_with_people_in_them():
    before = [
        ("accounts", "0001_initial"),
        ("sellers", "0002_applications_and_mails"),
        ("catalog", "0006_hidden_reviews_say_why"),
        ("checkout", "0008_statements"),
        ("mcp", "0001_initial"),
    ]
    staff = make_staff(SUPPORT)
    SellerApplication.objects.create(name="A", email="a@example.com")
    rights = set(staff.groups.get().permissions.values_list("pk", flat=True))
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        MigrationExecutor(connection).migrate(before)
        assert not staff.groups.get().permissions.exists()
    finally:
        MigrationExecutor(connection).migrate(newest)
        call_command("migrate", verbosity=0)

    assert set(staff.groups.get().permissions.values_list("pk", flat=True)) == rights
    assert Group.objects.filter(name__in=ROLES).count() == 4
    assert SellerApplication.objects.count() == 1


def test_every_role_has_a_name_in_words():
    assert list(ROLE_NAMES) == list(ROLES)
