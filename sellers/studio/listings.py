"""What a seller offers: the list, and each listing's editor."""

import unicodedata
import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from catalog.browse import popular_models, popular_tags
from catalog.checklist import list_needs
from catalog.editing import (
    LISTING_COLUMNS,
    PROMPT_COLUMNS,
    EditOutdated,
    EditRefused,
    digest_edit,
    save_edit,
    start_draft,
)
from catalog.facts import LANGUAGES, name_model
from catalog.listings import ListingRefused, publish_prompt, withdraw_prompt
from catalog.markdown import render_markdown
from catalog.models import Listing, Prompt
from catalog.tags import normalize_tags
from catalog.variables import find_doubts, find_variables
from mcp.tools.needs import NeedsOutdated, NeedsRefused
from mcp.tools.shown_needs import list_tool_needs
from sellers.business import find_business
from sellers.models import Seller
from sellers.studio.access import find_own_prompt, seller_required
from sellers.studio.forms import ListingForm, WithdrawForm, unify_lines
from sellers.studio.states import STATES, describe_state, frame_listing
from sellers.studio.tools import add_refusal, add_typed_tool, describe_typed_tools, save_tools, show_names

PAGE_SIZE = 20
TAGS_OFFERED, MODELS_OFFERED = 12, 20


@require_safe
@seller_required
def home(request):
    """The seller's listings, last changed first; who has none on sale yet reads what to do first."""
    state, query = request.GET.get("state", ""), unicodedata.normalize("NFC", request.GET.get("q", "")).strip()
    own = Listing.objects.filter(seller=request.seller)
    counts = dict(own.order_by().values_list("state").annotate(Count("pk")))
    listings = own.select_related("prompt").order_by("-updated_at", "-pk")
    if state in STATES:
        listings = listings.filter(state=state)
    if query:
        listings = listings.filter(prompt__title__icontains=query)
    listings = listings.defer("prompt__prompt_text", "prompt__file_url", "prompt__description", "description_html")
    page = Paginator(listings, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [{"listing": listing, "prompt": listing.prompt, "state": describe_state(listing)} for listing in page],
        "states": [{"words": words, "count": counts.get(name, 0)} for name, words in STATES.items()],
        "total": sum(counts.values()),
        "state": state if state in STATES else "",
        "query": query,
        "first_steps": list_first_steps(request.seller, counts),
    }
    return render(request, "sellers/studio/home.html", context)


def list_first_steps(seller: Seller, counts: dict[str, int]) -> list[dict]:
    """What somebody new does, in order; empty once something is on sale, and for whoever is suspended."""
    if counts.get(Listing.State.PUBLISHED) or seller.status == Seller.Status.SUSPENDED:
        return []
    return [
        {
            "url_name": "studio:profile_edit",
            "is_done": bool(seller.bio),
            "title": _("Say who you are"),
            "text": _("Name and a few sentences for your seller page."),
        },
        {
            "url_name": "studio:business_edit",
            "is_done": find_business(seller) is not None,
            "title": _("Enter your business facts"),
            "text": _("The law asks for them as soon as you sell for money. Free prompts need none."),
        },
        {
            "url_name": "studio:listing_new",
            "is_done": bool(counts),
            "title": _("Write your first prompt"),
            "text": _("A title is enough to begin; it stays a draft until you publish it."),
        },
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
@seller_required
def listing_new(request):
    """An empty editor. The form's token makes two clicks one draft."""
    if request.method != "POST":
        initial = {"token": uuid.uuid4(), "language": request.seller.language}
        return show_editor(request, prompt=None, form=make_form(request, prompt=None, initial=initial))
    form = make_form(request, prompt=None, data=add_typed_tool(request.POST))
    if is_look(request) or not form.is_valid():
        return show_editor(request, prompt=None, form=form)
    now = timezone.now()
    try:
        with transaction.atomic():
            prompt, is_new = start_draft(
                seller=request.seller,
                token=form.cleaned_data["token"] or uuid.uuid4(),
                prompt_fields=form.prompt_fields(),
                listing_fields=form.listing_fields(),
                now=now,
            )
            if is_new:
                save_tools(prompt=prompt, form=form, now=now)
    except (EditRefused, NeedsRefused) as refused:
        add_refusal(form, refused)
        return show_editor(request, prompt=None, form=form)
    if not is_new and list_differences(make_form(request, prompt=prompt, data=request.POST)):
        return show_outdated(request, prompt)  # back to the empty form, and typed on
    messages.success(request, _("Your draft is saved. Only you see it."))
    return redirect("studio:listing_edit", prompt.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request", "HX-Target")
@seller_required
def listing_edit(request, prompt_id):
    """The editor. A save takes effect at once; a change made elsewhere meanwhile is shown before it is overwritten."""
    prompt = find_own_prompt(request, prompt_id)
    if request.method != "POST":
        return show_editor(request, prompt=prompt, form=make_form(request, prompt=prompt))
    form = make_form(request, prompt=prompt, data=add_typed_tool(request.POST))
    if is_look(request) or not form.is_valid():
        return show_editor(request, prompt=prompt, form=form)
    now = timezone.now()
    try:
        with transaction.atomic():
            version = save_edit(
                prompt=prompt,
                seen=form.cleaned_data["seen"],
                prompt_fields=form.prompt_fields(),
                listing_fields=form.listing_fields(),
                note=form.cleaned_data.get("note", ""),
                now=now,
            )
            save_tools(prompt=prompt, form=form, now=now)
    except (EditOutdated, NeedsOutdated):
        return show_outdated(request, find_own_prompt(request, prompt_id))
    except (EditRefused, NeedsRefused) as refused:
        add_refusal(form, refused)
        return show_editor(request, prompt=find_own_prompt(request, prompt_id), form=form)
    if version and prompt.listing.published_at:
        messages.success(request, _("Saved. Buyers now get version %(number)d.") % {"number": version.number})
    else:
        messages.success(request, _("Your changes are saved."))
    return redirect("studio:listing_edit", prompt.pk)


def is_look(request) -> bool:
    """Whether the form only wants to see what was typed, or a suggestion added to it."""
    return "look" in request.POST or "add_tool" in request.POST


def make_form(request, *, prompt: Prompt | None, data=None, initial: dict | None = None) -> ListingForm:
    initial = {"seen": digest_edit(prompt)} if prompt else initial or {}
    initial |= show_names(prompt)
    tags = [row.tag for row in popular_tags(TAGS_OFFERED)]
    return ListingForm(data, prompt=prompt, tags=tags, look_path=request.path, initial=initial)


def show_outdated(request, prompt: Prompt):
    """Everything as it was typed, beside what is stored now; the next save overwrites that knowingly."""
    data = request.POST.copy()
    data["seen"], data["seen_tools"] = digest_edit(prompt), show_names(prompt)["seen_tools"]
    form = make_form(request, prompt=prompt, data=data)
    form.is_valid()
    return show_editor(request, prompt=prompt, form=form, is_outdated=True)


def list_differences(form: ListingForm) -> list[dict]:
    """The fields of a bound form that would change what is stored, and what is stored, as the editor shows it."""
    form.is_valid()
    rows = dict.fromkeys(PROMPT_COLUMNS, form.prompt) | dict.fromkeys(LISTING_COLUMNS, form.prompt.listing)
    shown = form.initial | {"tags": ", ".join(normalize_tags(form.prompt.tags))}
    choices = {"output_kind": Listing.OutputKind.choices, "language": LANGUAGES.items()}
    found = []
    for name, row in rows.items():
        typed = form.cleaned_data.get(name)  # None: not touched, or refused
        if name in form.errors or typed not in (None, getattr(row, name)):
            stored = dict(choices.get(name, ())).get(shown[name], shown[name])
            found.append({"name": name, "label": form.fields[name].label, "stored": stored})
    if "tools" in form.errors or form.cleaned_data.get("tools") is not None:
        found.append({"name": "tools", "label": form.fields["tools"].label, "stored": form.initial["tools"]})
    return found


def show_editor(request, *, prompt: Prompt | None, form: ListingForm, is_outdated: bool = False):
    """The page with this form; 422 when it was refused. `look` shows what was typed and saves nothing: htmx asks for
    the part that it names, a browser without scripts for the whole page."""
    typed = {name: unify_lines(form[name].value() or "") for name in ("description", "prompt_text")}
    context = {
        "form": form,
        "description_html": render_markdown(typed["description"]),
        "variables": [variable.name for variable in find_variables(typed["prompt_text"])],
        "doubts": find_doubts(typed["prompt_text"]),
        "length": len(typed["prompt_text"]),
    }
    is_looking = form.is_bound and is_look(request)
    context |= describe_typed_tools(form, request.POST, is_typing=request.htmx.target == "tool-facts")
    parts = {
        "description-look": "description_look",
        "text-facts": "text_facts",
        "tool-facts": "tool_facts",
        "tool-box": "tool_box",
        "tool-suggestions": "tool_suggestions",
    }
    if is_looking and request.htmx.target in parts:
        return render(request, f"sellers/studio/listing_edit.html#{parts[request.htmx.target]}", context)
    context |= {
        **(frame_listing(prompt) if prompt else {}),
        "needs": list_needs(prompt) if prompt else [],
        "tools": list_tool_needs(prompt, now=timezone.now()) if prompt else [],
        "models": [name_model(model) for model in popular_models(MODELS_OFFERED)],
        "is_look": is_looking,
        "is_outdated": is_outdated,
        "differences": list_differences(form) if is_outdated else [],
    }
    is_refused = form.is_bound and not is_looking
    return render(request, "sellers/studio/listing_edit.html", context, status=422 if is_refused else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def listing_publish(request, prompt_id):
    """The last look before everybody sees it: what is missing, all at once, and the price in the button."""
    prompt = find_own_prompt(request, prompt_id)
    refusal = ""
    if request.method == "POST":
        try:
            publish_prompt(prompt=prompt, now=timezone.now())
        except ListingRefused as refused:
            refusal = str(refused)
        else:
            messages.success(request, _("“%(title)s” is on sale.") % {"title": prompt.title})
            return redirect("studio:listing_edit", prompt.pk)
    needs = list_needs(prompt)
    context = {
        **frame_listing(prompt),
        "needs": needs,
        "is_ready": all(need.is_met for need in needs) and prompt.listing.state != Listing.State.REMOVED,
        "refusal": refusal,
    }
    return render(request, "sellers/studio/listing_publish.html", context, status=422 if refusal else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@seller_required
def listing_withdraw(request, prompt_id):
    prompt = find_own_prompt(request, prompt_id)
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        reason = form.cleaned_data["reason"].strip()
        if withdraw_prompt(prompt=prompt, reason=reason, now=timezone.now()):
            messages.success(request, _("“%(title)s” is off sale. Buyers keep it.") % {"title": prompt.title})
        return redirect("studio:listing_edit", prompt.pk)
    if prompt.listing.state != Listing.State.PUBLISHED:
        return redirect("studio:listing_edit", prompt.pk)
    context = frame_listing(prompt) | {"form": form}
    return render(request, "sellers/studio/listing_withdraw.html", context, status=422 if form.errors else 200)


@require_safe
@seller_required
def listing_versions(request, prompt_id):
    """Every text that was saved, newest first. `?number=3` opens one of them."""
    prompt = find_own_prompt(request, prompt_id)
    versions = prompt.versions.defer("prompt_text").order_by("-number")
    number = request.GET.get("number", "")
    opened = prompt.versions.filter(number=int(number)).first() if number.isdecimal() and len(number) < 9 else None
    context = {
        **frame_listing(prompt),
        "page": Paginator(versions, PAGE_SIZE).get_page(request.GET.get("page")),
        "opened": opened,
    }
    return render(request, "sellers/studio/listing_versions.html", context)
