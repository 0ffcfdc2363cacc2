"""What sellers are mailed about their money, when, how often, and that it says nothing about who bought."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from checkout import seller_mails
from checkout.models import Order
from checkout.seller_mails import DIGEST_DAYS, MOST_PROMPTS, find_missing_digests, queue_digests
from marketplace.mail_queue import muted
from sellers.mails import write_message
from sellers.models import SellerMail
from tests.checkout.test_statements import sell
from tests.factories import (
    NOON,
    make_paid_order,
    make_payout,
    make_prompt,
    make_refund,
    make_seller,
    make_statement,
    make_user,
)

pytestmark = pytest.mark.django_db

HANGUL = re.compile("[가-힣]")
NEXT_DAY = NOON + timedelta(days=1)


def anna(**fields):
    user = make_user(email="anna@example.com", nickname="Anna")
    return make_seller(**{"name": "Anna", "language": "en", "user": user, **fields})


def parts(message) -> list[str]:
    """The words of the text and of the HTML."""
    html, _kind = message.alternatives[0]
    return [" ".join(text.split()) for text in (message.body, unescape(strip_tags(html.replace("<", " <"))))]


def queue_all(now=NEXT_DAY):
    return queue_digests(digests=find_missing_digests(now=now), now=now)


# --- The first sale


def test_the_first_sale_is_told_with_price_fee_and_share(on_commit):
    seller = anna()
    mail.outbox.clear()

    make_paid_order(prompts=[make_prompt(title="Letter & <more>", price=9_999, seller=seller)])

    [message] = [message for message in mail.outbox if message.to == ["anna@example.com"]]
    assert message.subject == "[Promptjang] Your first sale: Letter & <more>"
    for words in parts(message):
        assert "Letter & <more>" in words
        assert re.search("Price:? ₩9,999 Fee:? −₩999 Your share:? ₩9,000", words)
    assert "http://localhost:8000/studio/statements/2026-11/" in message.body
    assert "/studio/statements/2026-11/" in message.alternatives[0][0]


def test_only_the_first_sale_is_told():
    seller = anna()

    sell(5_000, seller=seller)
    sell(5_000, seller=seller)

    assert SellerMail.objects.filter(kind="first_sale", seller=seller).count() == 1


def test_two_prompts_of_one_order_are_one_first_sale():
    seller = anna()

    sell(5_000, 1_000, seller=seller)

    [queued] = SellerMail.objects.filter(kind="first_sale")
    assert (queued.context["price_krw"], queued.context["share_krw"]) == (6_000, 5_400)
    assert len(queued.context["titles"]) == 2


def test_each_seller_of_an_order_is_told_of_their_own():
    ben = make_seller(name="Ben")
    make_paid_order(
        prompts=[
            make_prompt(title="A", price=1_000, seller=anna()),
            make_prompt(title="B", price=2_000, seller=ben),
            make_prompt(title="House", price=3_000),
        ]
    )

    told = {queued.seller.name: queued.context for queued in SellerMail.objects.filter(kind="first_sale")}

    assert {name: (context["titles"], context["price_krw"]) for name, context in told.items()} == {
        "Anna": (["A"], 1_000),
        "Ben": (["B"], 2_000),
    }


def test_what_is_free_is_no_sale():
    seller = anna()

    make_paid_order(prompts=[make_prompt(price=0, seller=seller)])

    assert not SellerMail.objects.exists()
    sell(5_000, seller=seller)
    assert SellerMail.objects.filter(kind="first_sale").count() == 1


def test_who_sold_before_there_were_such_mails_is_not_told_of_a_first_sale():
    seller = anna()
    with muted():
        sell(5_000, seller=seller)

    sell(5_000, seller=seller)

    assert not SellerMail.objects.exists()


def test_an_order_that_was_not_paid_is_no_earlier_sale():
    from tests.factories import make_order

    seller = anna()
    make_order(prompts=[make_prompt(seller=seller)])

    sell(5_000, seller=seller)

    assert SellerMail.objects.filter(kind="first_sale").count() == 1


@pytest.mark.parametrize("error", [DatabaseError("locked"), KeyError("x")])
def test_a_mail_that_fails_costs_nobody_their_purchase(monkeypatch, error):
    def fail(**mail):
        raise error

    monkeypatch.setattr(seller_mails, "queue_seller_mail", fail)

    order = sell(5_000, seller=anna())

    order.refresh_from_db()
    assert order.status == Order.Status.PAID
    assert order.lines.get().entitlement
    assert order.mails.get().kind == "receipt"
    assert not SellerMail.objects.exists()


# --- The digest


def test_a_day_with_sales_and_refunds_is_told_once(on_commit):
    seller = anna()
    letter = make_prompt(title="Letter", price=10_000, seller=seller)
    orders = [make_paid_order(prompts=[letter]) for _ in range(3)]
    make_paid_order(prompts=[make_prompt(title="Poem", price=999, seller=seller)])
    make_refund(order=orders[0], status="done", now=NOON + timedelta(minutes=1))
    mail.outbox.clear()

    assert (queue_all(), queue_all()) == (1, 0)

    [message] = mail.outbox
    assert message.to == ["anna@example.com"]
    assert message.subject == "[Promptjang] Your sales of Nov. 22, 2026"
    for words in parts(message):
        assert "Letter sold: 3 · given back: 1" in words
        assert "Poem sold: 1" in words
        assert re.search("Sales:? ₩30,999 Refunds:? −₩10,000 Fee:? −₩2,099 Your share:? ₩18,900", words)
    assert "http://localhost:8000/studio/statements/2026-11/" in message.body


def test_a_day_with_refunds_alone_is_told_too():
    seller = anna()
    order = sell(10_000, seller=seller, now=NOON - timedelta(days=20))
    make_refund(order=order, status="done", reason="staff", note="x", now=NOON)

    [digest] = find_missing_digests(now=NEXT_DAY)

    assert (digest.sales_krw, digest.refunds_krw, digest.fee_krw, digest.share_krw) == (0, 10_000, -1_000, -9_000)


def test_without_sales_there_is_no_mail():
    anna()
    make_paid_order(prompts=[make_prompt(price=0, seller=make_seller())])
    make_paid_order(prompts=[make_prompt(price=5_000)])

    assert find_missing_digests(now=NEXT_DAY) == []


def test_a_day_is_one_in_seoul_and_has_ended_for_ten_minutes():
    seller = anna()
    sell(1_000, seller=seller, now=datetime(2026, 11, 22, 14, 59, tzinfo=UTC))
    sell(2_000, seller=seller, now=datetime(2026, 11, 22, 15, 0, tzinfo=UTC))

    assert find_missing_digests(now=datetime(2026, 11, 22, 15, 9, tzinfo=UTC)) == []
    [digest] = find_missing_digests(now=datetime(2026, 11, 22, 15, 10, tzinfo=UTC))
    assert (digest.day, digest.sales_krw) == (date(2026, 11, 22), 1_000)
    days = [(each.day.day, each.sales_krw) for each in find_missing_digests(now=NEXT_DAY + timedelta(days=1))]
    assert days == [(22, 1_000), (23, 2_000)]


def test_missed_days_are_made_up_for_a_week():
    sell(1_000, seller=anna())

    assert find_missing_digests(now=NOON + timedelta(days=DIGEST_DAYS)) != []
    assert find_missing_digests(now=NOON + timedelta(days=DIGEST_DAYS + 1)) == []


def test_each_seller_gets_a_digest_of_their_own():
    for name in ("Anna", "Ben"):
        sell(1_000, seller=make_seller(name=name))

    assert queue_all() == 2
    assert {queued.seller.name for queued in SellerMail.objects.filter(kind="sales_digest")} == {"Anna", "Ben"}


def test_many_prompts_are_cut_and_the_sums_are_not(on_commit):
    seller = anna()
    for number in range(MOST_PROMPTS + 2):
        sell(1_000, seller=seller, now=NOON + timedelta(seconds=number))
    mail.outbox.clear()

    queue_all()

    for words in parts(mail.outbox[0]):
        assert words.count("sold: 1") == MOST_PROMPTS
        assert "and 2 more" in words
        assert "₩22,000" in words


def test_one_digest_that_fails_stops_no_other(monkeypatch):
    for name in ("Anna", "Ben"):
        sell(1_000, seller=make_seller(name=name))
    queue = seller_mails.queue_seller_mail

    def fail_once(**fields):
        if fields["seller"].name == "Anna":
            raise DatabaseError
        return queue(**fields)

    monkeypatch.setattr(seller_mails, "queue_seller_mail", fail_once)

    assert queue_all() == 1
    assert SellerMail.objects.get(kind="sales_digest").seller.name == "Ben"


@pytest.mark.parametrize("seller_count", [1, 5])
def test_finding_them_costs_two_queries(seller_count):
    for _ in range(seller_count):
        sell(1_000, seller=make_seller())

    with CaptureQueriesContext(connection) as asked:
        assert len(find_missing_digests(now=NEXT_DAY)) == seller_count
    assert len(asked) == 2


# --- All of them


def queue_every_kind(seller, buyer):
    order = make_paid_order(
        buyer=buyer, email=buyer.email, prompts=[make_prompt(title="글", price=9_999, seller=seller)]
    )
    make_refund(order=order, status="done", now=NOON + timedelta(minutes=1))
    sell(5_000, seller=seller)
    queue_all()
    make_payout(statement=make_statement(seller=seller))
    return {queued.kind: write_message(queued) for queued in SellerMail.objects.all()}


@pytest.mark.parametrize("language", ["ko", "en"])
def test_no_mail_says_who_bought(language):
    buyer = make_user(email="mina-buyer@example.com", nickname="Mina Kim")

    messages = queue_every_kind(anna(language=language), buyer)

    assert set(messages) == {"first_sale", "sales_digest", "payout"}
    for message in messages.values():
        for text in (message.subject, message.body, message.alternatives[0][0]):
            assert not re.search("mina|Kim|PJ2611", text, re.IGNORECASE)
    assert not any("mina" in json.dumps(queued.context).lower() for queued in SellerMail.objects.all())


def test_no_english_mail_is_partly_korean():
    messages = queue_every_kind(anna(), make_user())

    for message in messages.values():
        assert not HANGUL.search(message.subject.replace("글", ""))
        assert not any(HANGUL.search(words.replace("글", "")) for words in parts(message))


def test_no_text_has_two_blank_lines_in_a_row():
    for message in queue_every_kind(anna(), make_user()).values():
        assert "\n\n\n" not in message.body


def test_nothing_is_queued_for_made_up_people():
    with muted():
        seller = anna()
        sell(5_000, seller=seller)
        make_payout(statement=make_statement(seller=seller))
        assert queue_all() == 0

    assert not SellerMail.objects.exists()


@pytest.mark.parametrize("changes", [{"is_active": False}, {"deleted_at": NOON}])
def test_nobody_is_written_to_who_has_no_account_any_more(changes):
    seller = anna()
    type(seller.user).objects.filter(pk=seller.user_id).update(**changes)

    sell(5_000, seller=seller)

    assert queue_all() == 0
    assert not SellerMail.objects.exists()


# --- The command


@pytest.fixture
def _next_day(time_machine):
    time_machine.move_to(NEXT_DAY, tick=False)


def run(capsys, *arguments):
    call_command("send_seller_mails", *arguments)
    return capsys.readouterr().out


@pytest.mark.usefixtures("_next_day")
def test_the_command_queues_digests_and_sends_what_waits(capsys, on_commit):
    seller = anna()
    sell(5_000, seller=seller)
    waiting = SellerMail.objects.create(kind="first_sale", to="b@example.com", key="x", queued_at=NOON, context={
        "title": "A", "titles": ["A"], "price_krw": 1, "less_fee_krw": 0, "share_krw": 1, "path": "/",
    })  # fmt: skip
    mail.outbox.clear()

    assert run(capsys, "--dry-run") == "would be: 1 digests queued, 1 waiting mails sent, 0 not sent\n"
    assert mail.outbox == []
    assert run(capsys) == "1 digests queued, 1 waiting mails sent, 0 not sent\n"
    assert sorted(message.to[0] for message in mail.outbox) == ["anna@example.com", "b@example.com"]
    assert run(capsys, "--json") == json.dumps({"dry_run": False, "digests": 0, "sent": 0, "stuck": []}) + "\n"
    waiting.refresh_from_db()
    assert waiting.status == "sent"


@pytest.mark.usefixtures("_next_day")
@pytest.mark.parametrize(
    ("fields", "is_told"),
    [
        ({"status": "failed", "tried_at": NEXT_DAY - timedelta(hours=2)}, True),
        ({"status": "failed", "tried_at": NEXT_DAY - timedelta(hours=25)}, False),
        ({"status": "sending", "tried_at": NEXT_DAY - timedelta(minutes=11)}, True),
        ({"status": "sending", "tried_at": NEXT_DAY - timedelta(minutes=9)}, False),
    ],
)
def test_a_mail_that_does_not_go_out_is_named_for_a_day_and_ends_with_one(capsys, fields, is_told):
    SellerMail.objects.create(kind="payout", to="a@example.com", key="payout:x", queued_at=NOON, **fields)

    if not is_told:
        assert run(capsys) == "0 digests queued, 0 waiting mails sent, 0 not sent\n"
        return
    with pytest.raises(CommandError) as problem:
        call_command("send_seller_mails")
    assert problem.value.returncode == 1
    assert "problem: payout:x: it is" in capsys.readouterr().out
