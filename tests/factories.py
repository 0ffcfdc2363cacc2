"""Rows for tests, with dull defaults; a test states every value that it relies on."""

import itertools
from datetime import UTC, datetime, timedelta

from accounts.models import User
from catalog.models import Listing, Prompt, PromptVersion, Review
from checkout.models import Entitlement, Order, OrderLine, Payment, SandboxPayment, make_reference
from sellers.models import Seller

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


def make_seller(*, user: User | None = None, **fields) -> Seller:
    number = next(_numbers)
    return Seller.objects.create(
        **{"user": user or make_user(), "slug": f"seller-{number}", "name": f"Seller {number}", **fields}
    )


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
    return Review.objects.create(prompt=prompt, author=author or make_user(), rating=rating, **fields)


# --- Checkout


def make_order(
    *, buyer: User | None = None, prompts: list[Prompt] | None = None, status: str = "pending", **fields
) -> Order:
    """An order with one line per prompt at its present price, placed at NOON and payable for an hour.

    For a paid one with everything that comes with it use `make_purchase`.
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
        )
    return order


def make_payment(*, order: Order, **fields) -> Payment:
    return Payment.objects.create(
        **{"order": order, "provider": "sandbox", "amount_krw": order.total_krw, "requested_at": NOON, **fields}
    )


def make_purchase(
    *, buyer: User | None = None, prompt: Prompt | None = None, is_open: bool = False, now: datetime = NOON
) -> Entitlement:
    """A prompt bought and delivered at `now`, charged in the sandbox's books as well; sealed unless `is_open`."""
    from checkout.library import open_entitlement
    from checkout.orders import fulfil_order

    prompt = prompt or make_prompt()
    order = make_order(buyer=buyer, prompts=[prompt], created_at=now, expires_at=now + timedelta(hours=1))
    payment = None
    if order.total_krw:
        charged = SandboxPayment.objects.create(
            reference=make_reference(),
            order_number=order.number,
            order_name=prompt.title[:100],
            amount_krw=order.total_krw,
            balance_krw=order.total_krw,
            status="done",
            charge_count=1,
            approved_at=now,
        )
        payment = make_payment(order=order, status="paid", payment_key=charged.pk, approved_at=now)
    fulfil_order(order=order, payment=payment, now=now)
    entitlement = Entitlement.objects.get(order_line__order=order)
    if is_open and entitlement.is_sealed:
        open_entitlement(entitlement=entitlement, wording_version="test", now=now)
        entitlement.refresh_from_db()
    return entitlement
