"""The library: what somebody owns, and the only pages that show a prompt's text or hand out its file."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePosixPath

from django.contrib import messages
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from catalog.attachments import PRIVATE_SCHEME, find_stored_file_name
from catalog.reviews import suggest_models
from catalog.variables import fill, find_variables
from checkout import consents
from checkout.forms import FillForm
from checkout.library import (
    SORTS,
    STATES,
    Kind,
    NotOwned,
    Revoked,
    Sealed,
    Unlocked,
    count_download,
    find_entitlement,
    list_library,
    open_entitlement,
    unlock,
)
from checkout.models import Entitlement, Preset
from checkout.presets import PresetRefused, delete_preset, find_preset, list_presets, save_preset
from checkout.refunds import find_paid_payment, is_cancellable
from checkout.reviewing import find_review_standing
from checkout.views.orders import cancel_lines
from checkout.views.reviews import make_review_form

PAGE_SIZE = 24
CHUNK_BYTES = 64 * 1024
JUST_OPENED = timedelta(seconds=10)  # the seal is seen to break


@never_cache
@require_safe
@vary_on_headers("HX-Request", "HX-Target")
def library(request):
    query = request.GET.get("q", "").strip()[:100]
    state = request.GET.get("state", "") if request.GET.get("state") in STATES else ""
    sort = request.GET.get("sort", "") if request.GET.get("sort") in SORTS else "updated"
    entitlements = list_library(user=request.user, query=query, state=state, sort=sort)
    page = Paginator(entitlements, PAGE_SIZE).get_page(request.GET.get("page"))
    template = "checkout/library.html"
    if request.htmx.target == "library-results":
        template += "#results"
    context = {"page": page, "query": query, "state": state, "sort": sort, "is_filtered": bool(query or state)}
    return render(request, template, context)


@never_cache
@require_safe
def library_prompt(request, slug):
    """The reader. A sealed purchase shows the question whether to open it, a refunded one shows why it is gone."""
    now = timezone.now()
    try:
        unlocked = unlock(user=request.user, slug=slug, kind=Kind.READ, now=now, version_number=read_version(request))
    except NotOwned as missing:
        raise Http404 from missing
    except Sealed as sealed:
        can_cancel = is_cancellable(sealed.entitlement, now=now)
        payment = find_paid_payment(sealed.entitlement.order_line.order) if can_cancel else None
        context = {
            "entitlement": sealed.entitlement,
            "prompt": sealed.entitlement.prompt,
            "wording": consents.OPENING,
            "is_cancellable": can_cancel,
            "is_deposit": bool(payment and payment.is_deposit),
        }
        return render(request, "checkout/library_sealed.html", context)
    except Revoked as revoked:
        line = revoked.entitlement.order_line
        context = {
            "entitlement": revoked.entitlement,
            "prompt": revoked.entitlement.prompt,
            "refund": line and find_last_refund(line),
            "standing": find_review_standing(user=request.user, prompt=revoked.entitlement.prompt),
        }
        return render(request, "checkout/library_revoked.html", context)
    preset = find_asked_preset(request, unlocked.entitlement)
    return show_reader(
        request, unlocked, make_fill_form(unlocked, values=preset.values if preset else {}), preset=preset
    )


def show_reader(request, unlocked: Unlocked, fill_form: FillForm, *, preset: Preset | None = None):
    """The text with the form's values in place; 422 when the form was refused."""
    context = {
        "unlocked": unlocked,
        "prompt": unlocked.entitlement.prompt,
        "is_just_opened": timezone.now() - unlocked.entitlement.opened_at < JUST_OPENED,
        "fill_form": fill_form,
        "presets": list_presets(entitlement=unlocked.entitlement),
        "preset": preset,
        **describe_own_review(request.user, unlocked.entitlement.prompt),
    }
    return render(request, "checkout/library_prompt.html", context, status=422 if fill_form.errors else 200)


def make_fill_form(unlocked: Unlocked, *, data=None, values: Mapping[str, str] | None = None) -> FillForm:
    number = unlocked.version_number if unlocked.versions else None  # so that the fields stay those of this text
    return FillForm(data, variables=find_variables(unlocked.text), values=values or {}, version=number)


def find_asked_preset(request, entitlement: Entitlement) -> Preset | None:
    number = read_number(request.GET.get("preset", ""))
    return find_preset(entitlement=entitlement, preset_id=number) if number else None


def describe_own_review(user, prompt) -> dict:
    """The review that the person wrote, or a form for one."""
    standing = find_review_standing(user=user, prompt=prompt)
    if standing.review or not standing.can_write:
        return {"standing": standing}
    return {"standing": standing, "form": make_review_form(standing), "models": suggest_models()}


def find_last_refund(line):
    refund_line = line.refund_lines.select_related("refund__payment").order_by("-pk").first()
    return refund_line and refund_line.refund


@require_POST
def library_open(request, slug):
    """Breaks the seal. A second click finds it open."""
    try:
        entitlement = find_entitlement(user=request.user, slug=slug)
    except NotOwned as missing:
        raise Http404 from missing
    open_entitlement(entitlement=entitlement, wording_version=consents.OPENING.version, now=timezone.now())
    return redirect("checkout:library_prompt", entitlement.prompt.listing.slug)


@require_POST
def library_cancel(request, slug):
    """Cancels a sealed purchase; the money goes back at once. A deposit needs an account first, on another page."""
    try:
        entitlement = find_entitlement(user=request.user, slug=slug)
    except NotOwned as missing:
        raise Http404 from missing
    line = entitlement.order_line
    if line is None:
        messages.warning(
            request, _("This purchase was opened or is older than seven days, so it can no longer be cancelled.")
        )
        return redirect("checkout:library_prompt", entitlement.prompt.listing.slug)
    payment = find_paid_payment(line.order)
    if payment and payment.is_deposit:
        return redirect(f"{reverse('checkout:order_cancel', args=[line.order.number])}?line={line.position}")
    cancel_lines(request, order=line.order, lines=[line])
    return redirect(line.order)


@require_POST
def library_copied(request, slug):
    """The reader's copy button tells us that it copied."""
    try:
        unlock(user=request.user, slug=slug, kind=Kind.COPIED, now=timezone.now())
    except (NotOwned, Sealed, Revoked) as refused:
        raise Http404 from refused
    return HttpResponse(status=204)


@never_cache
@require_GET
def library_text(request, slug, extension):
    """The text as a file, `.md` or `.txt`."""
    if extension not in ("md", "txt"):
        raise Http404
    unlocked = unlock_for_download(request, slug, Kind.TEXT_DOWNLOADED)
    if isinstance(unlocked, HttpResponse):
        return unlocked
    return send_text(unlocked, unlocked.text, extension)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def library_fill(request, slug):
    """The text with values in place: as a page or a file; and the values kept as a preset.

    They come as a post, so that they stand in no address and no log.
    """
    if request.method != "POST":
        return redirect("checkout:library_prompt", slug)
    wish = request.POST.get("do", "")
    kind = Kind.TEXT_DOWNLOADED if wish in ("md", "txt") else Kind.READ
    unlocked = unlock_for_download(request, slug, kind)
    if isinstance(unlocked, HttpResponse):
        return unlocked
    form = make_fill_form(unlocked, data=request.POST)
    if wish.startswith("delete-"):
        delete_preset(entitlement=unlocked.entitlement, preset_id=read_number(wish.removeprefix("delete-")) or 0)
    if not form.is_valid():
        return show_reader(request, unlocked, form)
    if wish in ("md", "txt"):
        return send_text(unlocked, fill(unlocked.text, form.values), wish)
    if wish == "save":
        return keep_preset(request, unlocked, form)
    return show_reader(request, unlocked, form)


def keep_preset(request, unlocked: Unlocked, form: FillForm):
    name = form.cleaned_data["preset_name"]
    try:
        preset = save_preset(entitlement=unlocked.entitlement, name=name, values=form.values, now=timezone.now())
    except PresetRefused as refused:
        form.add_error("preset_name", str(refused))
        return show_reader(request, unlocked, form)
    messages.success(request, _("Saved as “%(name)s”.") % {"name": preset.name})
    address = reverse("checkout:library_prompt", args=[unlocked.entitlement.prompt.listing.slug])
    version = "" if unlocked.is_newest else f"&version={unlocked.version_number}"
    return redirect(f"{address}?preset={preset.pk}{version}")


def send_text(unlocked: Unlocked, text: str, extension: str):
    """A text as a file; the download counts when its last byte is on its way."""
    body = text.encode()
    if extension == "txt":
        body = b"\xef\xbb\xbf" + body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # as Notepad on Windows expects
    kinds = {"md": "text/markdown; charset=utf-8", "txt": "text/plain; charset=utf-8"}
    response = StreamingHttpResponse(
        CountedStream([body], unlocked=unlocked, kind=Kind.TEXT_DOWNLOADED), content_type=kinds[extension]
    )
    return as_download(response, file_name(unlocked.title, f".{extension}"), len(body))


@never_cache
@require_GET
def library_file(request, slug):
    """The file that belongs to the prompt, streamed from the private storage."""
    unlocked = unlock_for_download(request, slug, Kind.FILE_DOWNLOADED)
    if isinstance(unlocked, HttpResponse):
        return unlocked
    if re.match(r"https?://", unlocked.file_url):  # written by another program: only its owner is sent there
        count_download(unlocked=unlocked, kind=Kind.FILE_DOWNLOADED, now=timezone.now())
        return HttpResponseRedirect(unlocked.file_url)
    name = unlocked.file_url.removeprefix(PRIVATE_SCHEME)
    try:
        if not unlocked.file_url.startswith(PRIVATE_SCHEME) or ".." in PurePosixPath(name).parts:
            raise FileNotFoundError(name)
        storage = storages["private"]
        size, file = storage.size(name), storage.open(name)
    except (OSError, ValueError, SuspiciousFileOperation):  # not there, or a name that no file has
        context = {"prompt": unlocked.entitlement.prompt, "unlocked": unlocked}
        return render(request, "checkout/library_file_missing.html", context, status=404)
    response = StreamingHttpResponse(
        CountedStream(file.chunks(CHUNK_BYTES), unlocked=unlocked, kind=Kind.FILE_DOWNLOADED, file=file),
        content_type="application/octet-stream",
    )
    own_name = find_stored_file_name(unlocked.file_url)
    return as_download(response, own_name or file_name(unlocked.title, PurePosixPath(name).suffix), size)


def unlock_for_download(request, slug: str, kind: str) -> Unlocked | HttpResponse:
    """What may be downloaded, or the way to the page that says why not."""
    try:
        return unlock(user=request.user, slug=slug, kind=kind, now=timezone.now(), version_number=read_version(request))
    except NotOwned as missing:
        raise Http404 from missing
    except (Sealed, Revoked) as refused:
        return redirect("checkout:library_prompt", refused.entitlement.prompt.listing.slug)


def read_version(request) -> int | None:
    return read_number(request.GET.get("version", "") or request.POST.get("fill-version", ""))


def read_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


class CountedStream:
    """The chunks of a download, counted after the last one: a broken transfer does not count. Closes its file."""

    def __init__(self, chunks, *, unlocked: Unlocked, kind: str, file=None):
        self.chunks, self.unlocked, self.kind, self.file = iter(chunks), unlocked, kind, file

    def __iter__(self):
        yield from self.chunks
        count_download(unlocked=self.unlocked, kind=self.kind, now=timezone.now())

    def close(self):
        if self.file is not None:
            self.file.close()


def file_name(title: str, suffix: str) -> str:
    """A title as a file name every system takes: no separators, control or reserved characters, at most 80 long."""
    stem = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]+', " ", title)
    stem = re.sub(r"\s+", " ", stem).strip(" .")[:80].rstrip(" .")
    return (stem or "prompt") + re.sub(r"[^\w.]", "", suffix)


def as_download(response, name: str, size: int):
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["Content-Length"] = size
    response["X-Content-Type-Options"] = "nosniff"
    return response
