"""The start page of the admin: what waits, for those whom it concerns."""

import re
from datetime import timedelta

import pytest

from catalog.models import Report
from checkout.models import OrderMail
from marketplace.roles import CATALOGUE, FINANCE, SUPPORT, WAITLIST
from sellers.models import SellerApplication, SellerMail
from tests.factories import (
    NOON,
    make_application,
    make_order,
    make_prompt,
    make_review,
    make_server,
    make_staff,
    make_user,
)

pytestmark = pytest.mark.django_db

BOXES = {"applications-waiting", "reports-waiting", "orders-in-doubt", "servers-down", "mails-not-sent"}


@pytest.fixture(autouse=True)
def _noon(time_machine):
    time_machine.move_to(NOON, tick=False)


def open_start(client, staff) -> str:
    client.force_login(staff)
    client.cookies["django_language"] = "en"
    page = client.get("/admin/")
    assert page.status_code == 200
    return page.text


def make_boss():
    return make_user(is_staff=True, is_superuser=True)


def read_boxes(page: str) -> dict[str, list[tuple]]:
    """{id: [(name, count)]}"""
    boxes = re.findall(r'<section class="module doubts" id="([\w-]+)"(.*?)</section>', page, re.DOTALL)
    row = re.compile(r"<li><\w+[^>]*>([^<]+)</\w+> <b[^>]*>([\d,]+)</b></li>")
    return {name: row.findall(body) for name, body in boxes}


def make_waiting(count: int = 1) -> None:
    """So many of everything that the page counts."""
    for _ in range(count):
        order = make_order(status="confirming")
        OrderMail.objects.create(key=f"receipt-{order.pk}", kind="receipt", order=order, status="failed")
        make_application(now=NOON - timedelta(days=12))
        prompt = make_prompt()
        Report.objects.create(prompt=prompt, reason="copied", created_at=NOON - timedelta(days=3))
        Report.objects.create(review=make_review(prompt=prompt), reason="abusive", created_at=NOON)
        make_server(entry={"health": "down"})
    SellerMail.objects.update(status="failed")


def test_the_page_counts_what_waits(client):
    make_waiting()
    Report.objects.create(prompt=make_prompt(), reason="copied", outcome="dismissed", handled_at=NOON)
    make_application(name="young")
    for fields in ({"health": "working"}, {"state": "submitted"}, {"state": "declined"}, {"mode": "off"}):
        make_server(entry={"health": "down", **fields})
    SellerApplication.objects.create(name="done", email="d@example.com", processed=True, created_at=NOON)

    boxes = read_boxes(open_start(client, make_boss()))

    assert boxes == {
        "applications-waiting": [("waiting for a decision", "2"), ("waiting long", "1")],
        "reports-waiting": [("prompts", "1"), ("reviews", "1")],
        "orders-in-doubt": [
            ("payment being checked", "1"),
            ("waiting for deposit", "0"),
            ("refund being checked", "0"),
            ("charge being given back", "0"),
        ],
        "servers-down": [("waiting for a decision", "1"), ("not working", "1")],
        "mails-not-sent": [("mails to buyers", "1"), ("mails to sellers", "1")],
    }


def test_the_oldest_is_named_with_its_age(client):
    make_application(name="young")
    oldest = make_application(name="Mina <b>", now=NOON - timedelta(days=12))
    Report.objects.create(prompt=make_prompt(), reason="copied", created_at=NOON - timedelta(days=3))

    page = open_start(client, make_boss())

    link = f'<a href="/admin/sellers/sellerapplication/{oldest.pk}/change/">Mina &lt;b&gt;</a>'
    assert f"Oldest: {link}, 12 days, waiting long" in page
    assert re.search(r"Oldest: <time [^>]+>3 days ago</time>", page)


def test_an_empty_shop_counts_nothing_and_names_nobody(client):
    page = open_start(client, make_boss())

    assert {count for rows in read_boxes(page).values() for _name, count in rows} == {"0"}
    assert "Oldest:" not in page


@pytest.mark.parametrize(
    ("role", "boxes"),
    [
        (WAITLIST, {"applications-waiting"}),
        (CATALOGUE, {"reports-waiting", "servers-down"}),
        (SUPPORT, {"orders-in-doubt", "servers-down", "mails-not-sent"}),
        (FINANCE, {"orders-in-doubt"}),
        ("", set()),
    ],
)
def test_each_role_sees_what_concerns_it(client, role, boxes):
    make_waiting()

    page = open_start(client, make_staff(role))

    assert read_boxes(page).keys() == boxes
    for address in re.findall(r'<(?:li|h2[^>]*)><a href="(/admin/[^"]+)"', page):
        assert client.get(address.replace("&amp;", "&")).status_code == 200, address


def test_every_link_of_a_box_leads_to_the_rows_that_it_counts(client):
    make_waiting(2)
    page = open_start(client, make_boss())

    links = re.findall(r'<li><a href="(/admin/[^"]+)">[^<]+</a> <b class="doubts__some">(\d+)</b>', page)

    assert len(links) == 8
    for address, count in links:
        assert client.get(address.replace("&amp;", "&")).context["cl"].result_count == int(count), address


@pytest.mark.parametrize("count", [1, 50])
def test_the_page_costs_the_same_however_much_waits(client, count, django_assert_num_queries):
    make_waiting(count)
    boss = make_boss()
    open_start(client, boss)

    with django_assert_num_queries(12):
        client.get("/admin/")
