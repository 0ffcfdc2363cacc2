"""Whether the tools that prompts need work, as lists filter by it. Written by `mcp/tools/need_states.py`."""

from uuid import UUID

from django.db import transaction

from catalog.models import Listing
from catalog.search import index_prompts


def set_tool_states(states: dict[UUID, str]) -> set[UUID]:
    """Write the state of each prompt and its place under the filters. Returns the keys of those that had another.

    `updated_at` stays: the listing itself is the same. Locks listings by prompt, as everybody does.
    """
    with transaction.atomic():
        listings = Listing.objects.filter(prompt_id__in=states).select_for_update(no_key=True).order_by("prompt_id")
        present = dict(listings.values_list("prompt_id", "tool_state"))
        changed = {key for key, state in present.items() if state != states[key]}
        for state in Listing.ToolState.values:
            keys = [key for key in changed if states[key] == state]
            if keys:
                Listing.objects.filter(prompt_id__in=keys).update(tool_state=state)
        if changed:
            index_prompts(changed, only_moved=True)
    return changed
