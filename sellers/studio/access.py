"""Who may enter the studio."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache

from catalog.models import Prompt
from sellers.models import Seller


def seller_required(view: Callable) -> Callable:
    """Sets `request.seller`; whoever sells nothing is led to the page about selling.

    A suspended seller comes in and reads, because sales, statements and refunds go on; a form of theirs is refused with
    a page that says why. No page of the studio is kept by a cache.
    """

    @never_cache
    @wraps(view)
    def wrapped(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        seller = Seller.objects.filter(user=request.user).select_related("user", "business").first()
        if seller is None:
            return redirect("sellers:sell")
        request.seller = seller
        if request.method not in ("GET", "HEAD") and seller.status == Seller.Status.SUSPENDED:
            return render(request, "sellers/studio/suspended.html", status=403)
        return view(request, *args, **kwargs)

    return wrapped


def find_own_prompt(request: HttpRequest, prompt_id) -> Prompt:
    """A prompt of `request.seller` with its listing and business facts; anybody else's is a 404. One query."""
    prompts = Prompt.objects.select_related("listing__seller__business")
    return get_object_or_404(prompts, pk=prompt_id, listing__seller=request.seller)
