"""The site's own gateway on the sandbox, whose calls a test may disturb, and a buyer who goes through its window."""

from dataclasses import replace

from checkout import sandbox
from checkout.gateway import make_sandbox_gateway
from checkout.models import Payment, SandboxPayment
from checkout.payments import open_window, start_payment
from checkout.provider import RefundAccount
from tests.factories import NOON

ACCOUNT = RefundAccount(bank_code="20", account_number="1234567890", holder_name="김구매")


def make_gateway():
    return make_sandbox_gateway(timeout_s=5)


class ScriptedGateway:
    """The sandbox through the real gateway, but each call may have a step of a script: an error, which is raised
    before the provider hears anything, or a function that gets the answer, and may change it or raise.

    `calls` has the name of each, `asked` its arguments.
    """

    def __init__(self, **scripts):
        self.gateway = make_gateway()
        self.provider = self.gateway.provider
        self.scripts = {call: list(steps) for call, steps in scripts.items()}
        self.calls, self.asked = [], []

    def _follow(self, call, request):
        self.calls.append(call)
        self.asked.append(request)
        step = self.scripts[call].pop(0) if self.scripts.get(call) else None
        if isinstance(step, Exception):
            raise step
        answer = getattr(self.gateway, call)(**request)
        return step(answer) if step else answer

    def confirm(self, **request):
        return self._follow("confirm", request)

    def look_up(self, **request):
        return self._follow("look_up", request)

    def look_up_order(self, **request):
        return self._follow("look_up_order", request)

    def cancel(self, **request):
        return self._follow("cancel", request)

    def list_transactions(self, **request):
        return self._follow("list_transactions", request)


def afterwards(error: Exception):
    """A step: the provider has done what it was asked, and then the answer is lost."""

    def step(answer):
        raise error

    return step


def changed(**values):
    """A step: the answer with other values."""
    return lambda answer: replace(answer, **values)


def authorise(order, choice: str = "approve", *, now=NOON) -> tuple[Payment, dict]:
    """A new attempt, or the one that is open, whose buyer chose in the window; with what the browser brings back."""
    payment = start_payment(order=order, now=now)
    open_window(payment=payment, base_url="http://testserver")
    window = SandboxPayment.objects.get(reference=payment.reference)
    sandbox.choose(window, choice)
    payment = Payment.objects.select_related("order__buyer").get(pk=payment.pk)
    return payment, {
        "payment_key": window.pk,
        "order_id": payment.provider_order_id,
        "amount_krw": payment.order.total_krw,
    }
