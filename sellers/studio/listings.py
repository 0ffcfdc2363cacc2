"""What a seller offers: the list, and each listing's editor."""

from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.models import Listing
from sellers.studio.access import seller_required


@require_safe
@seller_required
def home(request):
    listings = Listing.objects.filter(seller=request.seller).select_related("prompt").order_by("-updated_at", "-pk")
    listings = listings.defer("prompt__prompt_text", "prompt__file_url", "prompt__description", "description_html")
    return render(request, "sellers/studio/home.html", {"listings": listings})
