"""Where a form came from, to go back there."""

from django.utils.http import url_has_allowed_host_and_scheme


def find_way_back(request, *, fallback: str) -> str:
    """The path that a form sends as `next`, where it is one of this site; `fallback` otherwise."""
    target = request.POST.get("next", "")
    is_ours = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return target if is_ours else fallback
