"""The sandbox and the stand-in server behave alike through the same gateway, as the provider is known to behave."""

from datetime import UTC, datetime, timedelta

import pytest

from checkout import sandbox
from checkout.gateway import Gateway, make_sandbox_gateway
from checkout.models import SandboxPayment
from checkout.provider import GatewayRefused, GatewayUnknown, ProviderState, RefundAccount
from tests.factories import NOON
from tests.toss.fixtures import toss, toss_process  # noqa: F401

pytestmark = pytest.mark.django_db

ORDER = "PJ261122-K7QM2F9X"
ACCOUNT = RefundAccount("20", "1234567890", "김구매")


class Sandbox:
    """The buyer's hand, the bank's and the clock's."""

    def __init__(self, time_machine):
        self.gateway = make_sandbox_gateway(timeout_s=5)
        self.clock = time_machine
        self.opened = 0

    def open(self, order_id: str, amount_krw: int) -> str:
        self.opened += 1
        sandbox.open_window(
            reference=f"window-{self.opened}",
            order_id=order_id,
            order_name="글쓰기",
            amount_krw=amount_krw,
            success_url="http://testserver/return/",
            fail_url="http://testserver/fail/",
        )
        return SandboxPayment.objects.get(reference=f"window-{self.opened}").pk

    def authorise(self, order_id: str = ORDER, amount_krw: int = 12900, choice: str = "approve") -> str:
        payment_key = self.open(order_id, amount_krw)
        sandbox.choose(SandboxPayment.objects.get(pk=payment_key), choice)
        return payment_key

    def deposit(self, payment_key: str) -> None:
        sandbox.deposit(SandboxPayment.objects.get(pk=payment_key))

    def advance(self, **distance) -> None:
        self.clock.shift(timedelta(**distance))

    def now(self) -> datetime:
        return datetime.now(UTC)

    def charge_count(self) -> int:
        return sum(SandboxPayment.objects.values_list("charge_count", flat=True))


class StandIn:
    def __init__(self, stand_in):
        self.toss = stand_in
        self.gateway = Gateway(provider="toss", base_url=stand_in.url, secret_key=stand_in.secret_key, timeout_s=5)

    def open(self, order_id: str, amount_krw: int) -> str:
        return self.toss.open_payment(order_id=order_id, amount=amount_krw)

    def authorise(self, order_id: str = ORDER, amount_krw: int = 12900, choice: str = "approve") -> str:
        method = "가상계좌" if choice == "deposit" else "카드"
        refuse_with = "REJECT_CARD_PAYMENT" if choice == "refuse" else ""
        return self.toss.authorise(order_id=order_id, amount=amount_krw, method=method, refuse_with=refuse_with)

    def deposit(self, payment_key: str) -> None:
        self.toss.deposit(payment_key=payment_key)

    def advance(self, **distance) -> None:
        self.toss.advance(seconds=timedelta(**distance).total_seconds())

    def now(self) -> datetime:
        return datetime.fromisoformat(self.toss.clock()).astimezone(UTC)

    def charge_count(self) -> int:
        return self.toss.books()["totals"]["charges"]


@pytest.fixture(params=["sandbox", "stand-in"])
def provider(request):
    if request.param == "stand-in":
        return StandIn(request.getfixturevalue("toss"))
    time_machine = request.getfixturevalue("time_machine")
    time_machine.move_to(NOON, tick=False)
    return Sandbox(time_machine)


def confirm(provider, payment_key, *, key="attempt-1", order_id=ORDER, amount_krw=12900):
    return provider.gateway.confirm(
        payment_key=payment_key, order_id=order_id, amount_krw=amount_krw, idempotency_key=key
    )


def cancel(provider, payment_key, *, amount_krw=None, key="refund-1", balance_krw=None, refund_account=None):
    provider.advance(seconds=2)  # two cancels within a second are another matter
    return provider.gateway.cancel(
        payment_key=payment_key,
        amount_krw=amount_krw,
        reason=f"환불 {key}",
        idempotency_key=key,
        balance_krw=balance_krw,
        refund_account=refund_account,
    )


def code_of(kind, call, *args, **kwargs):
    """The code of an error that must be of this kind."""
    with pytest.raises(kind) as caught:
        call(*args, **kwargs)
    return caught.value.code


# --- Confirm


def test_a_confirm_charges_what_was_authorised(provider):
    payment_key = provider.authorise()

    answer = confirm(provider, payment_key)

    assert (answer.payment_key, answer.order_id, answer.state) == (payment_key, ORDER, ProviderState.DONE)
    assert (answer.amount_krw, answer.balance_krw, answer.method, answer.cancels) == (12900, 12900, "카드", ())
    assert abs(answer.approved_at - provider.now()) < timedelta(seconds=10)
    assert answer.is_charged
    assert provider.gateway.look_up(payment_key=payment_key) == answer
    assert provider.gateway.look_up_order(order_id=ORDER) == answer
    assert provider.charge_count() == 1


def test_the_same_idempotency_key_gets_the_first_answer_again(provider):
    payment_key = provider.authorise()
    first = confirm(provider, payment_key)
    cancel(provider, payment_key, amount_krw=900)

    assert confirm(provider, payment_key) == first
    assert provider.charge_count() == 1


def test_a_second_confirm_under_another_key_may_be_our_own_success(provider):
    payment_key = provider.authorise()
    confirm(provider, payment_key)

    assert code_of(GatewayUnknown, confirm, provider, payment_key, key="2") == "ALREADY_PROCESSED_PAYMENT"
    assert provider.charge_count() == 1


def test_another_amount_is_refused_and_the_key_stays_burnt(provider):
    payment_key = provider.authorise(amount_krw=100)  # somebody edited the page

    first = code_of(GatewayRefused, confirm, provider, payment_key)
    assert code_of(GatewayRefused, confirm, provider, payment_key, amount_krw=100) == first  # replayed, not judged anew
    assert provider.charge_count() == 0
    assert confirm(provider, payment_key, key="2", amount_krw=100).amount_krw == 100


def test_another_order_is_refused(provider):
    payment_key = provider.authorise()

    refused = code_of(GatewayRefused, confirm, provider, payment_key, order_id="PJ261122-AAAAAAAA")

    assert refused == "FORBIDDEN_REQUEST"
    assert provider.charge_count() == 0


def test_a_payment_nobody_authorised_is_refused(provider):
    payment_key = provider.open(ORDER, 12900)

    assert provider.gateway.look_up(payment_key=payment_key).state == ProviderState.READY
    assert code_of(GatewayRefused, confirm, provider, payment_key) == "NOT_FOUND_PAYMENT_SESSION"
    assert code_of(GatewayRefused, confirm, provider, "no-such-key", key="2") == "NOT_FOUND_PAYMENT_SESSION"


@pytest.mark.parametrize(
    ("choice", "before"), [("approve", ProviderState.IN_PROGRESS), ("deposit", ProviderState.READY)]
)
def test_ten_minutes_after_the_authorisation_it_is_too_late(provider, choice, before):
    payment_key = provider.authorise(choice=choice)
    provider.advance(minutes=9, seconds=50)
    assert provider.gateway.look_up(payment_key=payment_key).state == before

    provider.advance(seconds=20)

    assert provider.gateway.look_up(payment_key=payment_key).state == ProviderState.EXPIRED
    assert code_of(GatewayRefused, confirm, provider, payment_key) == "NOT_FOUND_PAYMENT_SESSION"
    assert provider.charge_count() == 0


def test_a_payment_confirmed_in_time_stays_charged_and_only_its_session_ends(provider):
    payment_key = provider.authorise()
    first = confirm(provider, payment_key)
    provider.advance(minutes=11)

    assert code_of(GatewayRefused, confirm, provider, payment_key, key="2") == "NOT_FOUND_PAYMENT_SESSION"
    assert provider.gateway.look_up(payment_key=payment_key) == first
    assert confirm(provider, payment_key) == first


def test_a_card_that_is_refused_ends_the_payment(provider):
    payment_key = provider.authorise(choice="refuse")

    assert code_of(GatewayRefused, confirm, provider, payment_key) == "REJECT_CARD_PAYMENT"
    assert code_of(GatewayRefused, confirm, provider, payment_key) == "REJECT_CARD_PAYMENT"

    answer = provider.gateway.look_up(payment_key=payment_key)
    assert (answer.state, answer.failure_code, answer.approved_at) == (
        ProviderState.ABORTED,
        "REJECT_CARD_PAYMENT",
        None,
    )
    assert code_of(GatewayUnknown, confirm, provider, payment_key, key="2") == "ALREADY_PROCESSED_PAYMENT"
    assert provider.charge_count() == 0


def test_an_idempotency_key_is_at_most_300_letters_long(provider):
    payment_key = provider.authorise()

    with pytest.raises(Exception, match="INVALID_IDEMPOTENCY_KEY"):
        confirm(provider, payment_key, key="x" * 301)
    assert confirm(provider, payment_key, key="x" * 300).is_charged


# --- Look-ups


def test_what_does_not_exist_is_none(provider):
    assert provider.gateway.look_up(payment_key="no-such-key") is None
    assert provider.gateway.look_up_order(order_id="PJ261122-AAAAAAAA") is None


def test_of_several_attempts_with_one_order_id_the_latest_is_found(provider):
    provider.open(ORDER, 12900)
    provider.advance(seconds=1)
    latest = provider.open(ORDER, 12900)

    assert provider.gateway.look_up_order(order_id=ORDER).payment_key == latest


# --- Cancel


def test_a_whole_cancel_gives_everything_back_once(provider):
    payment_key = provider.authorise()
    confirm(provider, payment_key)

    answer = cancel(provider, payment_key)

    assert (answer.state, answer.amount_krw, answer.balance_krw) == (ProviderState.CANCELLED, 12900, 0)
    assert answer.given_back_krw == 12900
    assert [(it.amount_krw, it.reason) for it in answer.cancels] == [(12900, "환불 refund-1")]
    assert abs(answer.cancels[0].cancelled_at - provider.now()) < timedelta(seconds=10)
    assert cancel(provider, payment_key) == answer
    assert code_of(GatewayUnknown, cancel, provider, payment_key, key="refund-2") == "ALREADY_CANCELED_PAYMENT"
    assert provider.gateway.look_up(payment_key=payment_key) == answer


def test_partial_cancels_add_up_and_never_become_a_whole_one(provider):
    payment_key = provider.authorise()
    confirm(provider, payment_key)

    first = cancel(provider, payment_key, amount_krw=5000, balance_krw=12900)
    assert (first.state, first.balance_krw) == (ProviderState.PARTLY_CANCELLED, 7900)
    last = cancel(provider, payment_key, key="refund-2")

    assert (last.state, last.balance_krw, last.given_back_krw) == (ProviderState.PARTLY_CANCELLED, 0, 12900)
    assert [it.amount_krw for it in last.cancels] == [5000, 7900]
    assert len({it.transaction_key for it in last.cancels}) == 2
    assert cancel(provider, payment_key, amount_krw=5000, balance_krw=12900) == first  # replayed
    assert code_of(GatewayUnknown, cancel, provider, payment_key, key="refund-3") == "NOT_CANCELABLE_AMOUNT"


def test_no_more_is_given_back_than_is_left(provider):
    payment_key = provider.authorise()
    confirm(provider, payment_key)

    assert code_of(GatewayUnknown, cancel, provider, payment_key, amount_krw=12901) == "NOT_CANCELABLE_AMOUNT"
    assert provider.gateway.look_up(payment_key=payment_key).cancels == ()


def test_a_cancel_that_believes_in_another_balance_gives_nothing_back(provider):
    payment_key = provider.authorise()
    confirm(provider, payment_key)
    cancel(provider, payment_key, amount_krw=900)

    refused = code_of(GatewayUnknown, cancel, provider, payment_key, amount_krw=900, balance_krw=12900, key="refund-2")

    assert refused == "NOT_MATCHES_REFUNDABLE_AMOUNT"
    assert provider.gateway.look_up(payment_key=payment_key).balance_krw == 12000


def test_what_was_never_charged_is_not_given_back(provider):
    payment_key = provider.authorise()

    assert code_of(GatewayRefused, cancel, provider, payment_key) == "NOT_CANCELABLE_PAYMENT"
    assert code_of(GatewayRefused, cancel, provider, "no-such-key", key="refund-2") == "NOT_FOUND_PAYMENT"
    assert confirm(provider, payment_key).is_charged


# --- Virtual accounts


def waiting_payment(provider):
    payment_key = provider.authorise(choice="deposit")
    answer = confirm(provider, payment_key)
    assert (answer.state, answer.approved_at, answer.method) == (ProviderState.WAITING_FOR_DEPOSIT, None, "가상계좌")
    assert not answer.is_charged
    assert answer.deposit.account_number.startswith("X")
    assert answer.deposit.bank_code
    assert abs(answer.deposit.due_at - provider.now() - timedelta(days=7)) < timedelta(seconds=10)
    return payment_key


def test_a_virtual_account_is_charged_when_the_deposit_arrives(provider):
    payment_key = waiting_payment(provider)
    assert provider.charge_count() == 0
    assert code_of(GatewayUnknown, confirm, provider, payment_key, key="2") == "ALREADY_PROCESSED_PAYMENT"
    provider.advance(days=1)

    provider.deposit(payment_key)

    answer = provider.gateway.look_up(payment_key=payment_key)
    assert (answer.state, answer.balance_krw, answer.is_charged) == (ProviderState.DONE, 12900, True)
    assert abs(answer.approved_at - provider.now()) < timedelta(seconds=10)
    assert provider.charge_count() == 1


def test_a_deadline_that_passes_changes_nothing_at_the_provider(provider):
    payment_key = waiting_payment(provider)

    provider.advance(days=8)

    answer = provider.gateway.look_up(payment_key=payment_key)
    assert answer.state == ProviderState.WAITING_FOR_DEPOSIT
    assert answer.deposit.due_at < provider.now()


def test_before_the_deposit_only_the_whole_is_cancelled_and_no_money_moves(provider):
    payment_key = waiting_payment(provider)

    refused = code_of(GatewayRefused, cancel, provider, payment_key, amount_krw=5000)
    assert refused == "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT"
    answer = cancel(provider, payment_key, key="refund-2")

    assert (answer.state, answer.is_charged, answer.given_back_krw) == (ProviderState.CANCELLED, False, 0)
    assert provider.charge_count() == 0


def test_after_the_deposit_a_refund_needs_an_account(provider):
    payment_key = waiting_payment(provider)
    provider.deposit(payment_key)

    assert code_of(GatewayRefused, cancel, provider, payment_key) == "INVALID_REFUND_ACCOUNT_INFO"
    wrong = RefundAccount("20", "12-34", "김구매")
    refused = code_of(GatewayRefused, cancel, provider, payment_key, key="refund-2", refund_account=wrong)
    assert refused == "INVALID_REFUND_ACCOUNT_NUMBER"

    assert cancel(provider, payment_key, key="refund-3", refund_account=ACCOUNT).given_back_krw == 12900


# --- Transactions


def test_every_approval_and_cancel_is_listed_in_its_period(provider):
    since = provider.now()
    payment_key = provider.authorise()
    charged = confirm(provider, payment_key)
    part = cancel(provider, payment_key, amount_krw=5000)
    cancel(provider, payment_key, key="refund-2")
    provider.authorise("PJ261122-BBBBBBBB")  # never confirmed
    waiting = provider.authorise("PJ261122-CCCCCCCC", choice="deposit")
    confirm(provider, waiting, key="attempt-2", order_id="PJ261122-CCCCCCCC")
    provider.advance(seconds=2)
    provider.deposit(waiting)

    listed = list(provider.gateway.list_transactions(since=since, until=provider.now()))

    assert [(row.payment_key, row.order_id, row.state, row.amount_krw) for row in listed] == [
        (payment_key, ORDER, ProviderState.DONE, 12900),
        (payment_key, ORDER, ProviderState.PARTLY_CANCELLED, 5000),
        (payment_key, ORDER, ProviderState.PARTLY_CANCELLED, 7900),
        (waiting, "PJ261122-CCCCCCCC", ProviderState.DONE, 12900),
    ]
    assert listed[0].at == charged.approved_at
    assert (listed[1].transaction_key, listed[1].at) == (part.cancels[0].transaction_key, part.cancels[0].cancelled_at)
    assert (
        list(provider.gateway.list_transactions(since=since - timedelta(days=2), until=since - timedelta(days=1))) == []
    )


def test_a_long_list_comes_whole_and_in_order_in_small_pages(provider, monkeypatch):
    monkeypatch.setattr("checkout.gateway.PAGE_SIZE", 2)
    since, keys = provider.now(), []
    for number in range(5):
        order_id = f"PJ261122-0000000{number}"
        keys.append(provider.authorise(order_id))
        confirm(provider, keys[-1], key=f"attempt-{number}", order_id=order_id)
        provider.advance(seconds=1)

    listed = provider.gateway.list_transactions(since=since, until=provider.now())

    assert [row.payment_key for row in listed] == keys
