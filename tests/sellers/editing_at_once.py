"""Clicks and tabs of one seller in processes of their own, on a real database; `test_editing_at_once.py` starts it.

python -m tests.sellers.editing_at_once ROUNDS

Each round four clicks send one form of a new prompt at the same moment; then four tabs save another text over the draft
that all of them saw. It prints what they were answered and what the database holds in the end.
"""

import json
import sys
import uuid

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from catalog.editing import EditOutdated, digest_edit, save_edit, start_draft  # noqa: E402
from catalog.models import Listing, Prompt, PromptVersion  # noqa: E402
from sellers.models import Seller  # noqa: E402
from tests.factories import NOON, make_seller  # noqa: E402
from tests.sellers.applying import act_at_once  # noqa: E402

CLICKS, TABS = 4, 4


def name_token(number: int) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, str(number))


def click(number: int, position: int) -> bool:
    fields = {"title": f"Letters {number}", "prompt_text": "First"}
    seller = Seller.objects.get()
    return start_draft(seller=seller, token=name_token(number), prompt_fields=fields, listing_fields={}, now=NOON)[1]


def save(number: int, position: int) -> str:
    """From what the tab saw when the draft was new, whenever its turn comes."""
    prompt = Prompt.objects.select_related("listing").get(title=f"Letters {number}")
    prompt.prompt_text = "First"
    try:
        save_edit(
            prompt=prompt,
            seen=digest_edit(prompt),
            prompt_fields={"prompt_text": f"Tab {position}"},
            listing_fields={},
            note="",
            now=NOON,
        )
    except EditOutdated:
        return "outdated"
    return "saved"


def main(rounds: int) -> None:
    call_command("migrate", verbosity=0)
    make_seller()
    clicked = act_at_once([click] * CLICKS, rounds)
    made = Prompt.objects.count(), Listing.objects.count(), PromptVersion.objects.count()
    saved = act_at_once([save] * TABS, rounds)
    print(json.dumps({"clicked": clicked, "made": made, "saved": saved, "versions": PromptVersion.objects.count()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
