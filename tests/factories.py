"""Rows for tests, with dull defaults; a test states every value that it relies on."""

import itertools
from datetime import UTC, date, datetime, timedelta
from importlib import import_module

from django.apps import apps
from django.contrib.auth.models import Group
from django.utils.timezone import localdate

from accounts.models import User
from catalog.models import Listing, Prompt, PromptVersion, Report, Review
from checkout.answers import SEOUL
from checkout.models import (
    Entitlement,
    Order,
    OrderLine,
    Payment,
    Payout,
    Refund,
    SandboxPayment,
    Statement,
    make_reference,
)
from mcp.models import Entry, McpServer
from sellers.models import Seller, SellerApplication, SellerBusiness

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def make_user(
    *, email: str | None = None, nickname: str | None = None, password: str = "long-enough-1", **fields
) -> User:
    """An account with a verified address and a profile, ready to sign in."""
    user = User.objects.create_user(email or f"person{next(_numbers)}@example.com", password, **fields)
    user.emailaddress_set.create(email=user.email, verified=True, primary=True)
    user.profile.nickname = nickname
    user.profile.save()
    return user


ROLE_MIGRATIONS = [
    "accounts.migrations.0002_roles",
    "sellers.migrations.0003_roles",
    "catalog.migrations.0007_roles",
    "checkout.migrations.0009_roles",
    "mcp.migrations.0002_roles",
    "mcp.migrations.0005_roles",
]


def make_staff(role: str = "", **fields) -> User:
    """Somebody of staff in the group that the migrations made for this role; without one, somebody with no rights."""
    staff = make_user(is_staff=True, **fields)
    if role:
        if not Group.objects.filter(name=role).exists():  # tests that commit empty every table afterwards
            for name in ROLE_MIGRATIONS:
                import_module(name).give(apps, None)
        staff.groups.add(Group.objects.get(name=role))
    return staff


def make_seller(*, user: User | None = None, **fields) -> Seller:
    number = next(_numbers)
    return Seller.objects.create(
        **{"user": user or make_user(), "slug": f"seller-{number}", "name": f"Seller {number}", **fields}
    )


def make_business(*, seller: Seller, **fields) -> SellerBusiness:
    return SellerBusiness.objects.create(
        **{
            "seller": seller,
            "trade_name": "Paper Desk",
            "representative": "Kim",
            "registration_number": "123-45-67891",
            "report_number": "2026-Seoul-0001",
            "address": "1 Example-ro, Seoul",
            "phone": "02-000-0000",
            "email": "desk@example.com",
            **fields,
        }
    )


def make_application(*, email: str | None = None, **fields) -> SellerApplication:
    """An application made through the form at NOON: with its case, its first event and its queued mail."""
    from sellers.onboarding import apply_to_sell

    number = next(_numbers)
    application, _is_new = apply_to_sell(
        **{
            "name": f"Applicant {number}",
            "email": email or f"applicant{number}@example.com",
            "portfolio_url": "https://example.com/work",
            "categories": ["writing"],
            "message": "I write prompts.",
            "consent_version": "test",
            "language": "en",
            "now": NOON,
            **fields,
        }
    )
    return application


def make_prompt(
    *,
    seller: Seller | None = None,
    slug: str | None = None,
    state: str = Listing.State.PUBLISHED,
    listing: dict | None = None,
    **fields,
) -> Prompt:
    """A prompt with its listing and first version, on sale unless `state` says otherwise.

    It is put into the search index as a saved listing is: `catalog.search.index_prompt`.
    """
    from catalog.search import index_prompt

    number = next(_numbers)
    prompt = Prompt.objects.create(
        **{
            "title": f"Prompt {number}",
            "description": "What it does.",
            "price": 5_000,
            "prompt_text": f"Act as expert {number} on {{{{topic}}}}.",
            "is_published": state == Listing.State.PUBLISHED,
            **fields,
        }
    )
    Listing.objects.create(
        prompt=prompt, slug=slug or f"prompt-{number}", seller=seller, state=state, published_at=NOON, **(listing or {})
    )
    PromptVersion.objects.create(prompt=prompt, number=1, title=prompt.title, prompt_text=prompt.prompt_text)
    index_prompt(prompt)
    return prompt


def make_review(*, prompt: Prompt, author: User | None = None, rating: int = 5, **fields) -> Review:
    """A row alone: the counters of its prompt do not follow. `catalog.reviews.save_review` is what the site does."""
    if fields.get("hidden_at"):
        fields.setdefault("hidden_reason", Review.HiddenReason.STAFF)
    if "created_at" in fields:
        fields.setdefault("updated_at", fields["created_at"])
    return Review.objects.create(prompt=prompt, author=author or make_user(), rating=rating, **fields)


def make_report(*, prompt: Prompt | None = None, review: Review | None = None, **fields) -> Report:
    """Of a new prompt unless one thing is given; waiting since NOON."""
    prompt = prompt or (None if review else make_prompt())
    return Report.objects.create(
        **{
            "prompt": prompt,
            "review": review,
            "reporter": make_user(),
            "reason": Report.Reason.OTHER,
            "created_at": NOON,
            **fields,
        }
    )


# --- Checkout


def make_order(
    *,
    buyer: User | None = None,
    prompts: list[Prompt] | None = None,
    status: str = "pending",
    fee_bp: int = 1_000,
    **fields,
) -> Order:
    """An order with one line per prompt at its present price, placed at NOON and payable for an hour.

    A line of a seller's pays `fee_bp` to the platform. For a paid one with everything that comes with it use
    `make_paid_order`, or `make_purchase` for one prompt.
    """
    prompts = [make_prompt()] if prompts is None else prompts
    order = Order.objects.create(
        **{
            "buyer": buyer or make_user(),
            "email": "buyer@example.com",
            "status": status,
            "total_krw": sum(prompt.price for prompt in prompts),
            "created_at": NOON,
            "expires_at": NOON + timedelta(hours=1),
            **fields,
        }
    )
    for position, prompt in enumerate(prompts, 1):
        OrderLine.objects.create(
            order=order,
            position=position,
            prompt=prompt,
            version=prompt.versions.order_by("-number").first(),
            seller=prompt.listing.seller,
            title=prompt.title,
            price_krw=prompt.price,
            fee_bp=fee_bp if prompt.listing.seller_id else 0,
        )
    return order


def make_payment(*, order: Order, **fields) -> Payment:
    """An attempt to pay: the order's first has its number at the provider, the nth `<number>_<n>`.

    The provider knows nothing of it; `make_sandbox_payment` is its side.
    """
    attempt_count = order.payments.count()
    return Payment.objects.create(
        **{
            "order": order,
            "provider": "sandbox",
            "provider_order_id": order.number if not attempt_count else f"{order.number}_{attempt_count + 1}",
            "amount_krw": order.total_krw,
            "requested_at": NOON,
            **fields,
        }
    )


def make_sandbox_payment(*, payment: Payment, status: str = "done", at: datetime = NOON, **fields) -> SandboxPayment:
    """What the sandbox's books say of an attempt: charged at `at` unless `status` says otherwise."""
    is_charged = status == "done"
    values = {
        "payment_key": payment.payment_key or make_reference(),
        "reference": payment.reference,
        "order_id": payment.provider_order_id,
        "order_name": "Prompt",
        "amount_krw": payment.amount_krw,
        "status": status,
        "success_url": f"http://testserver/payments/{payment.reference}/return/",
        "fail_url": f"http://testserver/payments/{payment.reference}/fail/",
        "method": "" if status == "ready" else "카드",
        "charge_count": int(is_charged),
        "created_at": at,
        "authorised_at": None if status == "ready" else at,
        "approved_at": at if is_charged else None,
        **fields,
    }
    values.setdefault("balance_krw", values["amount_krw"])
    if is_charged:
        at_text = at.astimezone(SEOUL).isoformat(timespec="seconds")
        row = {"status": "DONE", "amount": values["amount_krw"], "transactionAt": at_text}
        values.setdefault("transactions", [row | {"transactionKey": make_reference().upper()}])
    return SandboxPayment.objects.create(**values)


def make_paid_order(
    *, buyer: User | None = None, prompts: list[Prompt] | None = None, now: datetime = NOON, **fields
) -> Order:
    """An order placed, charged and delivered at `now`, in the sandbox's books as in ours. All purchases are sealed."""
    from checkout.orders import fulfil_order

    fields = {"created_at": now, "expires_at": now + timedelta(hours=1), **fields}
    order = make_order(buyer=buyer, prompts=prompts, **fields)
    payment = None
    if order.total_krw:
        payment = make_payment(order=order, requested_at=now, confirmed_at=now)
        charged = make_sandbox_payment(payment=payment, at=now)
        payment.status, payment.payment_key, payment.approved_at = "paid", charged.pk, now
        payment.method = charged.method
        payment.save()
    fulfil_order(order=order, payment=payment, now=now)
    return order


def make_purchase(
    *, buyer: User | None = None, prompt: Prompt | None = None, is_open: bool = False, now: datetime = NOON
) -> Entitlement:
    """A prompt bought and delivered at `now`, charged in the sandbox's books as well; sealed unless `is_open`."""
    from checkout.library import open_entitlement

    order = make_paid_order(buyer=buyer, prompts=[prompt or make_prompt()], now=now)
    entitlement = Entitlement.objects.get(order_line__order=order)
    if is_open and entitlement.is_sealed:
        open_entitlement(entitlement=entitlement, wording_version="test", now=now)
        entitlement.refresh_from_db()
    return entitlement


def make_refund(
    *,
    order: Order,
    lines: list[OrderLine] | None = None,
    status: str = "requested",
    reason: str = "buyer_cancelled",
    now: datetime = NOON,
    **fields,
) -> Refund:
    """Money back for lines of an order of `make_paid_order`, for all of them by default; the rights have ended.

    `requested`: nobody has asked the provider yet. `done`: given back in the sandbox's books and booked. `failed`: the
    provider refused, and the buyer has the rights again.
    """
    from checkout.gateway import make_sandbox_gateway
    from checkout.provider import GatewayRefused
    from checkout.refunds import begin_refund, carry_out_refund, fail_refund

    lines = list(order.lines.filter(price_krw__gt=0).order_by("position")) if lines is None else lines
    payment = order.payments.get(status="paid")
    refund = begin_refund(order=order, payment=payment, lines=lines, reason=reason, now=now, **fields)
    if status == "done":
        carry_out_refund(refund=refund, now=now, gateway=make_sandbox_gateway(timeout_s=5))
    elif status == "failed":
        fail_refund(refund=refund, error=GatewayRefused("EXCEED_MAX_REFUND_DUE"), now=now)
    refund.refresh_from_db()
    order.refresh_from_db()
    return refund


def make_statement(*, seller: Seller, month: date = date(2026, 11, 1), now: datetime | None = None) -> Statement:
    """The statement of a month, built from what was booked for the seller, a week after the month's end."""
    from checkout.statements import begin_of, build_statements, next_month

    build_statements(month=month, now=now or begin_of(next_month(month)) + timedelta(days=7))
    return Statement.objects.get(seller=seller, month=month)


def make_payout(*, statement: Statement, now: datetime | None = None, **fields) -> Payout:
    """The due of a statement, paid on the day after it was built."""
    from checkout.payouts import record_payout

    now = now or statement.built_at + timedelta(days=1)
    values = {
        "bank_reference": f"BANK-{next(_numbers)}",
        "paid_on": localdate(now),
        "staff": fields.pop("staff", None) or make_user(is_staff=True),
        **fields,
    }
    return record_payout(statement=statement, now=now, **values)


# --- The registry of MCP servers


def make_server(*, slug: str | None = None, entry: dict | None = None, **fields) -> McpServer:
    """A server with its entry: accepted, checked regularly, due at NOON, and not checked yet."""
    number = next(_numbers)
    server = McpServer.objects.create(
        **{
            "name": f"Server {number}",
            "description": "What it offers.",
            "endpoint": f"https://server{number}.example.com/mcp",
            "created_at": NOON,
            "updated_at": NOON,
            **fields,
        }
    )
    Entry.objects.create(
        **{
            "server": server,
            "slug": slug or f"server-{number}",
            "state": Entry.State.ACCEPTED,
            "submitted_at": NOON,
            "next_check_at": NOON,
            "search_text": f"{server.name} {server.description or ''}".casefold(),
            **(entry or {}),
        }
    )
    return server
