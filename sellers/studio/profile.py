"""How the seller appears, and who they are in law."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from catalog.listings import index_seller
from sellers.business import find_business, save_business
from sellers.profiles import ProfileRefused, change_seller_profile, is_address_fixed
from sellers.studio.access import seller_required
from sellers.studio.forms import BusinessForm, ProfileForm


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def profile_edit(request):
    seller = request.seller
    is_fixed = is_address_fixed(seller)
    data = request.POST if request.method == "POST" else None
    form = ProfileForm(data, seller=seller, is_address_fixed=is_fixed)
    if form.is_valid():
        try:
            changed = change_seller_profile(seller=seller, **{"slug": seller.slug, **form.cleaned_data})
        except ProfileRefused as refused:
            form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        else:
            if "name" in changed:
                index_seller(seller=seller)
            messages.success(request, _("Your seller page is saved."))
            return redirect("studio:profile_edit")
    context = {"form": form, "is_address_fixed": is_fixed}
    return render(request, "sellers/studio/profile_edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def business_edit(request):
    business = find_business(request.seller)
    form = BusinessForm(request.POST if request.method == "POST" else None, business=business)
    if form.is_valid():
        save_business(seller=request.seller, facts=form.facts(), now=timezone.now())
        messages.success(request, _("Your business facts are saved. Buyers see them from now on."))
        return redirect("studio:business_edit")
    context = {"form": form, "business": business}
    return render(request, "sellers/studio/business_edit.html", context, status=422 if form.errors else 200)
