"""`view_count`: how many people looked at a prompt, counted without a write in the page."""


def record_view(request, prompt) -> None:
    """Note that the person behind this request saw `prompt`. Writes nothing now; a background thread adds it later."""


def flush_views(now) -> int:
    """Write what was noted so far. Returns how many views were new."""
    return 0
