"""Mails about orders go out once, whatever happens between the row and the mail server."""

from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.core import mail

from checkout import mails
from checkout.mails import queue_mail, send_mail, send_waiting_mails
from checkout.models import Order, OrderMail
from checkout.orders import fulfil_order
from checkout.payments import PaymentRefused, accept_return, ask_to_confirm, check_payment, confirm_payment
from checkout.provider import GatewayRefused, GatewayUnknown
from checkout.refunds import carry_out_refund
from marketplace.mail_queue import TRIES, muted
from tests.checkout.gateways import ScriptedGateway, authorise, make_gateway
from tests.factories import NOON, make_order, make_paid_order, make_prompt, make_refund, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def mail_server(monkeypatch):
    """Put errors into the list, and the next mails meet them."""
    errors = []
    send = mail.EmailMultiAlternatives.send

    def send_or_fail(self, fail_silently=False):
        if errors:
            raise errors.pop(0)
        return send(self, fail_silently)

    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", send_or_fail)
    return errors


def queue(order=None, **about):
    return queue_mail(kind="receipt", order=order or make_order(), now=NOON, **about)


def columns(*names):
    return list(OrderMail.objects.order_by("pk").values_list(*names))


def test_a_mail_goes_out_after_the_commit_and_not_before(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        queue()
        assert mail.outbox == []
    assert len(mail.outbox) == 1
    assert columns("status", "try_count", "sent_at") == [("sent", 1, NOON)]


def test_one_thing_is_queued_once(on_commit):
    order = make_order()

    mails = {queue(order).pk for _ in range(3)}

    assert len(mails) == len(mail.outbox) == 1


def test_each_refund_has_a_mail_of_its_own(on_commit):
    order = make_paid_order(prompts=[make_prompt(price=1_000), make_prompt(price=2_000)])

    for line in order.lines.all():
        make_refund(order=order, lines=[line], status="done")

    assert columns("kind") == [("receipt",), ("refund",), ("refund",)]
    assert len(mail.outbox) == 3


def test_staff_send_a_receipt_again_as_often_as_they_like(on_commit):
    order, staff = make_order(), make_user(is_staff=True)

    mails = [queue(order), queue(order, requested_by=staff), queue(order, requested_by=staff)]

    assert len({row.pk for row in mails}) == len(mail.outbox) == 3
    assert columns("key", "requested_by") == [
        (f"receipt:{order.pk}", None),
        (f"receipt:{order.pk}:2", staff.pk),
        (f"receipt:{order.pk}:3", staff.pk),
    ]


def test_a_sent_mail_is_never_sent_again(on_commit):
    sent = queue()

    assert not send_mail(mail_id=sent.pk)
    assert send_waiting_mails(now=NOON + timedelta(days=1)) == 0
    assert len(mail.outbox) == 1


def test_a_mail_that_another_process_is_sending_is_left_to_it():
    queued = queue()
    OrderMail.objects.update(status="sending", tried_at=NOON)

    assert not send_mail(mail_id=queued.pk)
    assert send_waiting_mails(now=NOON + timedelta(days=1)) == 0
    assert mail.outbox == []


@pytest.mark.parametrize(("seconds", "count"), [(59, 0), (60, 1)])
def test_what_a_stopped_process_left_queued_is_sent_a_minute_later(seconds, count):
    queue()

    assert send_waiting_mails(now=NOON + timedelta(seconds=seconds)) == count
    assert len(mail.outbox) == count


def test_after_a_failure_of_the_mail_server_it_is_tried_again_a_few_times(mail_server, time_machine, on_commit):
    mail_server += [SMTPServerDisconnected(), ConnectionRefusedError()]
    queue()
    assert columns("status", "try_count") == [("queued", 1)]

    results = []
    for minutes in (1, 2, 3):
        time_machine.move_to(NOON + timedelta(minutes=minutes), tick=False)
        results.append(send_waiting_mails(now=NOON + timedelta(minutes=minutes)))

    assert results == [0, 1, 0]
    assert columns("status", "try_count") == [("sent", 3)]
    assert len(mail.outbox) == 1


def test_a_failure_is_not_tried_again_within_a_minute(mail_server, on_commit):
    mail_server.append(SMTPServerDisconnected())
    queue()

    assert send_waiting_mails(now=NOON + timedelta(seconds=59)) == 0
    assert mail.outbox == []


def test_in_the_end_it_is_given_up(mail_server, on_commit, time_machine):
    mail_server += [SMTPServerDisconnected() for _ in range(TRIES)]
    queue()

    for minutes in range(1, TRIES + 3):
        time_machine.move_to(NOON + timedelta(minutes=minutes), tick=False)
        send_waiting_mails(now=NOON + timedelta(minutes=minutes))

    assert columns("status", "try_count") == [("failed", TRIES)]
    assert mail.outbox == []


def test_a_refused_address_is_not_in_the_log(mail_server, on_commit, caplog):
    mail_server.append(SMTPRecipientsRefused({"mina@example.com": (550, b"no such mina")}))
    queue()

    assert [record.message for record in caplog.records] == [
        f"mail not sent key={OrderMail.objects.get().key} error=SMTPRecipientsRefused"
    ]
    assert "mina" not in caplog.text


def test_a_mail_server_that_is_away_does_not_undo_the_purchase(mail_server, on_commit):
    mail_server.append(SMTPServerDisconnected())
    payment, returned = authorise(make_order())

    confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())

    assert Order.objects.get().status == "paid"
    assert columns("kind", "status") == [("receipt", "queued")]


def test_a_purchase_that_is_not_committed_queues_nothing(monkeypatch):
    from checkout import orders

    payment, returned = authorise(make_order())

    def crash(**arguments):
        raise RuntimeError("power cut")

    monkeypatch.setattr(orders, "Fulfilled", crash)
    with pytest.raises(RuntimeError):
        confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())

    assert columns("kind") == []


def test_muted_nothing_is_queued_for_made_up_orders(on_commit):
    with muted():
        assert queue() is None
        make_refund(order=make_paid_order(), status="done")
    assert (columns("pk"), mail.outbox) == ([], [])
    order = make_order(status="confirming", prompts=[make_prompt(price=0)])
    fulfil_order(order=order, payment=None, now=NOON)
    assert columns("kind") == [("receipt",)]


@pytest.mark.parametrize(("is_seen", "kinds"), [(True, []), (False, [("payment_failed",)])])
def test_a_no_is_mailed_unless_the_buyer_is_there_to_read_it(on_commit, is_seen, kinds):
    refused, returned = authorise(make_order(), "refuse")
    assert accept_return(payment=refused, **returned, now=NOON)

    with pytest.raises(PaymentRefused):
        ask_to_confirm(payment=refused, now=NOON, gateway=make_gateway(), is_first=True, is_seen=lambda: is_seen)

    assert columns("kind") == kinds


def test_a_mail_that_cannot_be_written_stops_no_other(monkeypatch):
    for _ in range(2):
        make_paid_order()
    build, first = mails.build_message, OrderMail.objects.order_by("pk").first()

    def break_the_first(waiting):
        if waiting.pk == first.pk:
            raise ValueError("a header")
        return build(waiting)

    monkeypatch.setattr(mails, "build_message", break_the_first)

    assert send_waiting_mails(now=NOON + timedelta(minutes=5)) == 1
    assert columns("status") == [("failed",), ("sent",)]


def test_a_refund_that_is_refused_later_is_told_by_mail(on_commit):
    refund = make_refund(order=make_paid_order(), reason="buyer_cancelled")
    mail.outbox.clear()

    carry_out_refund(
        refund=refund, now=NOON, gateway=ScriptedGateway(cancel=[GatewayRefused("NOT_CANCELABLE_PAYMENT")])
    )

    assert refund.status == "failed"
    assert len(mail.outbox) == 1


def test_a_no_that_comes_later_is_told_by_mail(on_commit, time_machine):
    late, returned = authorise(make_order())
    gateway = ScriptedGateway(confirm=[GatewayUnknown("timeout")])
    confirm_payment(payment=late, **returned, now=NOON, gateway=gateway)
    time_machine.move_to(NOON + timedelta(minutes=11), tick=False)  # by when it has lapsed
    for minutes in (11, 12):
        check_payment(payment=late, now=NOON + timedelta(minutes=minutes), gateway=gateway)

    assert columns("kind", "payment") == [("payment_failed", late.pk)]
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(("language", "subject"), [("ko", "주문"), ("en", "Your order")])
def test_the_receipt_is_in_the_language_of_the_order(on_commit, language, subject):
    order = make_order(prompts=[make_prompt(title="Fish & “chips”", price=9_900)], language=language)
    payment, returned = authorise(order)

    confirm_payment(payment=payment, **returned, now=NOON, gateway=make_gateway())

    message = mail.outbox[0]
    assert subject in message.subject
    assert order.number in message.subject
    html = message.alternatives[0].content
    address = f"http://localhost:8000/orders/{order.number}/"
    assert f'href="{address}"' in html
    assert address in message.body
    assert message.to == [order.email]
