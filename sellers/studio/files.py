"""Pictures of a listing, and the one file that its buyers get."""

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from catalog.attachments import attach_file, describe_attachment, detach_file
from catalog.images import is_showable, make_picture
from catalog.models import Prompt
from catalog.pictures import (
    MAX_PICTURES,
    add_picture,
    describe_picture,
    move_picture,
    remove_picture,
)
from marketplace.rate_limits import is_allowed
from marketplace.uploads import UploadRefused
from sellers.studio.access import find_own_prompt, seller_required
from sellers.studio.forms import FileForm, PicturesForm
from sellers.studio.states import frame_listing


@require_safe
@seller_required
def listing_files(request, prompt_id):
    return show_files(request, find_own_prompt(request, prompt_id))


def show_files(
    request,
    prompt: Prompt,
    *,
    pictures_form=None,
    file_form=None,
    refused_alt: dict | None = None,
    stored_count: int = 0,
):
    """The page with its forms; 422 when one of them was refused.

    refused_alt: `number` of the picture, the `alt` that was typed, and the `problem` with it.
    """
    pictures_form, file_form = pictures_form or PicturesForm(), file_form or FileForm()
    pictures = list_own_pictures(prompt)
    context = {
        **frame_listing(prompt),
        "pictures": pictures,
        "room": MAX_PICTURES - len(pictures),
        "file": describe_attachment(prompt),
        "pictures_form": pictures_form,
        "file_form": file_form,
        "refused_alt": refused_alt,
        "stored_count": stored_count,
    }
    is_refused = pictures_form.errors or file_form.errors or refused_alt
    return render(request, "sellers/studio/listing_files.html", context, status=422 if is_refused else 200)


def list_own_pictures(prompt: Prompt) -> list[dict]:
    """Every picture in order, also those that pages may not load: another program wrote them, and they stay."""
    addresses = prompt.image_urls if isinstance(prompt.image_urls, list) else []
    alts = prompt.listing.image_alts
    return [
        {
            "place": place,
            "number": place + 1,
            "address": address,
            "picture": make_picture(address, alt=alts.get(address, "")) if is_showable(address) else None,
            "alt": alts.get(address, ""),
            "is_last": place == len(addresses) - 1,
        }
        for place, address in enumerate(addresses)
        if isinstance(address, str)
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def pictures_add(request, prompt_id):
    """Takes several at once. A refused one is named with the reason, and the others are kept."""
    prompt = find_own_prompt(request, prompt_id)
    if request.method != "POST":
        return redirect("studio:listing_files", prompt.pk)
    form = PicturesForm(request.POST, request.FILES)
    if not form.is_valid():
        return show_files(request, prompt, pictures_form=form)
    stored_count = 0
    for upload in form.cleaned_data["pictures"]:
        try:
            refuse_too_many(request)
            add_picture(prompt=prompt, upload=upload, alt="", now=timezone.now())
            stored_count += 1
        except UploadRefused as refused:
            form.add_error("pictures", name_refusal(upload, refused))
    if form.errors:
        return show_files(request, prompt, pictures_form=form, stored_count=stored_count)
    messages.success(request, _("Your pictures are saved. Say below what each of them shows."))
    return redirect(f"{reverse('studio:listing_files', args=[prompt.pk])}#pictures")


def refuse_too_many(request) -> None:
    """Raises UploadRefused beyond the number of files that one person may send in an hour."""
    if not is_allowed(request, "upload"):
        raise UploadRefused(_("That was too many files for one hour. Please go on later."))


def name_refusal(upload: UploadedFile, refused: UploadRefused) -> str:
    return _("“%(name)s” was not taken. %(reason)s") % {"name": upload.name, "reason": refused}


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def picture_change(request, prompt_id):
    """Another place in the order, or another description, for the picture that `address` names."""
    prompt = find_own_prompt(request, prompt_id)
    if request.method != "POST":
        return redirect("studio:listing_files", prompt.pk)
    found = find_picture(prompt, request.POST.get("address", ""))
    steps = {"earlier": -1, "later": 1}
    act, place = request.POST.get("act"), found["place"]
    alt = request.POST.get("alt", "").replace("\0", "")  # which no database takes
    if act in steps:
        place = max(0, place + steps[act])
        move_picture(prompt=prompt, address=found["address"], to=place, now=timezone.now())
        messages.success(request, _("The picture is number %(number)d now.") % {"number": place + 1})
    elif act == "describe":
        try:
            describe_picture(prompt=prompt, address=found["address"], alt=alt, now=timezone.now())
            messages.success(request, _("The description of picture %(number)d is saved.") % {"number": place + 1})
        except UploadRefused as refused:
            typed = {"number": place + 1, "alt": alt, "problem": str(refused)}
            return show_files(request, prompt, refused_alt=typed)
    return redirect(f"{reverse('studio:listing_files', args=[prompt.pk])}#picture-{place + 1}")


def find_picture(prompt: Prompt, address: str) -> dict:
    """The row of this picture; 404 for one that the listing does not have, or has no longer."""
    found = next((row for row in list_own_pictures(prompt) if row["address"] == address), None)
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def picture_remove(request, prompt_id):
    """Asks first: the picture is gone for good then."""
    prompt = find_own_prompt(request, prompt_id)
    if request.method == "POST":
        if remove_picture(prompt=prompt, address=request.POST.get("address", ""), now=timezone.now()):
            messages.success(request, _("The picture is removed."))
        return redirect(f"{reverse('studio:listing_files', args=[prompt.pk])}#pictures")
    if "address" not in request.GET:
        return redirect("studio:listing_files", prompt.pk)
    context = frame_listing(prompt) | {"found": find_picture(prompt, request.GET.get("address", ""))}
    return render(request, "sellers/studio/picture_remove.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def file_attach(request, prompt_id):
    """The file that buyers get, in the place of the one before: a new version."""
    prompt = find_own_prompt(request, prompt_id)
    if request.method != "POST":
        return redirect("studio:listing_files", prompt.pk)
    form = FileForm(request.POST, request.FILES)
    if form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            refuse_too_many(request)
            attach_file(prompt=prompt, upload=upload, note=form.cleaned_data["note"], now=timezone.now())
        except UploadRefused as refused:
            form.add_error("file", name_refusal(upload, refused))
        else:
            messages.success(request, _("Your file is saved."))
            return redirect(f"{reverse('studio:listing_files', args=[prompt.pk])}#file")
    return show_files(request, prompt, file_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def file_remove(request, prompt_id):
    """Asks first, and says who keeps it."""
    prompt = find_own_prompt(request, prompt_id)
    if request.method == "POST":
        if detach_file(prompt=prompt, now=timezone.now()):
            messages.success(request, _("The prompt comes without a file now."))
        return redirect(f"{reverse('studio:listing_files', args=[prompt.pk])}#file")
    if not prompt.has_file:
        return redirect("studio:listing_files", prompt.pk)
    context = frame_listing(prompt) | {"file": describe_attachment(prompt)}
    return render(request, "sellers/studio/file_remove.html", context)
