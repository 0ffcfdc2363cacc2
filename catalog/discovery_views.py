"""What machines read: covers, link pictures, feed, sitemap, robots.txt, llms.txt."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from catalog import discovery
from catalog.browse import newest, popular_tags
from catalog.images import COVER_WIDTHS, load_card, load_cover, name_cover_version
from catalog.models import Prompt
from marketplace.context_processors import describe_site
from marketplace.templatetags.marketplace_tags import won
from mcp.registry.page_meta import list_server_pages

TAGS_LISTED = 30
HOUR = 60 * 60  # seconds
DAY = 24 * HOUR


@login_not_required
@require_safe
@cache_control(public=True, max_age=365 * DAY, immutable=True)
def prompt_cover(request, slug):
    """The drawn cover as WebP. Pages ask with `v`, which changes with the drawing, and with one of two widths `w`.

    What is not on sale has a cover for whoever was shown its address, so that nobody can ask which drafts there are.
    """
    prompt = get_object_or_404(Prompt.objects.for_cards(), listing__slug=discovery.read_slug(slug))
    if not prompt.is_published and request.GET.get("v") != name_cover_version(prompt):
        raise Http404
    widths = {str(width): width for width in COVER_WIDTHS}
    cover = load_cover(prompt, width=widths.get(request.GET.get("w", ""), COVER_WIDTHS[-1]))
    return HttpResponse(cover, content_type="image/webp")


@login_not_required
@require_safe
@cache_control(public=True, max_age=HOUR)
@discovery.in_site_language
def prompt_card_image(request, slug):
    """The picture that other sites show under a link to a prompt on sale."""
    prompt = get_object_or_404(Prompt.objects.on_sale().for_cards(), listing__slug=discovery.read_slug(slug))
    card, fingerprint = load_card(prompt, price_label=won(prompt.price), site_name=describe_site()["name"])
    return discovery.answer_once(request, HttpResponse(card, content_type="image/png"), fingerprint)


@login_not_required
@require_safe
@cache_control(public=True, max_age=5 * 60)
@discovery.in_site_language
def prompt_feed(request):
    """The newest prompts as Atom."""
    feed = discovery.build_feed(
        newest(discovery.FEED_LENGTH),
        title=_("New prompts at %(site)s") % {"site": describe_site()["name"]},
        page_path=reverse("catalog:home"),
        feed_path=reverse("catalog:prompt_feed"),
    )
    return discovery.answer_feed(request, feed)


@login_not_required
@require_safe
@cache_control(public=True, max_age=HOUR)
def sitemap(request):
    """All addresses, or beyond one file's worth the index of files."""
    numbers = discovery.list_sitemap_numbers()
    if len(numbers) == 1:
        return _stream_xml(discovery.write_sitemap(numbers[0], with_pages=True, others=list_server_pages()))
    return _stream_xml(discovery.write_sitemap_index(numbers))


@login_not_required
@require_safe
@cache_control(public=True, max_age=HOUR)
def sitemap_file(request, number):
    numbers = discovery.list_sitemap_numbers()
    if number not in numbers:
        raise Http404
    is_first = number == numbers[0]
    return _stream_xml(discovery.write_sitemap(number, with_pages=is_first, others=list_server_pages()))


def _stream_xml(chunks) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks, content_type="application/xml; charset=utf-8")


@login_not_required
@require_safe
@cache_control(public=True, max_age=DAY)
def robots(request):
    return HttpResponse(discovery.write_robots(), content_type="text/plain; charset=utf-8")


@login_not_required
@require_safe
@cache_control(public=True, max_age=HOUR)
@discovery.in_site_language
def llms(request):
    text = discovery.write_llms(
        prompts=newest(discovery.FEED_LENGTH), tags=[(row.tag, row.count) for row in popular_tags(TAGS_LISTED)]
    )
    return HttpResponse(text, content_type="text/markdown; charset=utf-8")
