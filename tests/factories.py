"""Rows for tests, with dull defaults; a test states every value that it relies on."""

import itertools
from datetime import UTC, datetime

from accounts.models import Profile, User
from catalog.models import Listing, Prompt, PromptVersion, Review
from sellers.models import Seller

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def make_user(
    *, email: str | None = None, nickname: str | None = None, password: str = "long-enough-1", **fields
) -> User:
    """An account with a verified address and a profile, ready to sign in."""
    user = User.objects.create_user(email or f"person{next(_numbers)}@example.com", password, **fields)
    user.emailaddress_set.create(email=user.email, verified=True, primary=True)
    Profile.objects.update_or_create(user=user, defaults={"nickname": nickname})
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
