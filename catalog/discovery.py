"""How search engines, feed readers, other sites and language models find their way: one builder for each format.

Everything here is public: prompts on sale only, and of a prompt only what its page shows to anybody. Addresses begin
with `SITE_URL`, whatever host the request named.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import wraps
from hashlib import blake2b
from urllib.parse import quote
from xml.sax.saxutils import escape

from django.conf import settings
from django.db.models import Max, Min, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.cache import get_conditional_response
from django.utils.feedgenerator import Atom1Feed
from django.utils.text import Truncator
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from catalog.browse import BrowseQuery
from catalog.models import Listing, Prompt
from catalog.tags import normalize_tags
from marketplace.context_processors import describe_site
from marketplace.templatetags.marketplace_tags import won
from sellers.models import Seller

SITEMAP_STEP = 40_000  # listing numbers in one file; the protocol allows 50,000 addresses
FEED_LENGTH = 30
DESCRIPTION_LENGTH = 155  # characters; search engines cut there


def absolute(path: str) -> str:
    """An address of ours for other machines. What is absolute already stays."""
    return path if path.startswith(("https://", "http://")) else f"{settings.SITE_URL}{path}"


def read_slug(slug: str) -> str:
    """The slug as it is stored: some systems send Hangul decomposed."""
    return unicodedata.normalize("NFC", slug)


def fingerprint(text: str) -> str:
    """The same for the same text, in every process; names a version to caches."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def shorten(text: str, length: int = DESCRIPTION_LENGTH) -> str:
    return Truncator(" ".join((text or "").split())).chars(length)


def in_site_language(view):
    """The view answers in `LANGUAGE_CODE` to everybody: machines fetch once for all readers."""

    @wraps(view)
    def wrapped(request, *args, **kwargs):
        with translation.override(settings.LANGUAGE_CODE):
            return view(request, *args, **kwargs)

    return wrapped


def answer_once(request, response: HttpResponse, version: str) -> HttpResponse:
    """The response under an ETag, or 304 for whoever has this version already."""
    etag = f'"{version}"'
    response["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=response)


# --- What stands in the head of a page


@dataclass(frozen=True)
class PageMeta:
    """What `_meta.html` shows. `canonical_url` and `image_url` are absolute or empty; `facts` is JSON-LD."""

    title: str
    description: str
    canonical_url: str = ""
    kind: str = "website"
    image_url: str = ""
    is_indexed: bool = True
    facts: dict | None = None
    feed_url: str = field(default_factory=lambda: absolute(reverse("catalog:prompt_feed")))
    feed_title: str = field(default_factory=lambda: _("New prompts"))
    site_name: str = field(default_factory=lambda: describe_site()["name"])

    @property
    def locale(self) -> str:
        return {"ko": "ko_KR"}.get(get_language(), "en_US")


def describe_home() -> PageMeta:
    site_name = describe_site()["name"]
    return PageMeta(
        title=site_name,
        description=_("A shop for AI prompts: see how one begins, buy it, and open it when you are ready."),
        canonical_url=absolute(reverse("catalog:home")),
        facts={
            "@context": "https://schema.org",
            "@type": "WebSite",
            "name": site_name,
            "url": absolute(reverse("catalog:home")),
            "potentialAction": {
                "@type": "SearchAction",
                "target": {
                    "@type": "EntryPoint",
                    "urlTemplate": f"{absolute(reverse('catalog:prompt_list'))}?q={{search_term_string}}",
                },
                "query-input": "required name=search_term_string",
            },
        },
    )


def describe_page(*, title: str, description: str, url_name: str) -> PageMeta:
    """Head of a page that is one of its kind."""
    return PageMeta(title=title, description=description, canonical_url=absolute(reverse(url_name)))


def describe_prompt_list(query: BrowseQuery, *, heading: str) -> PageMeta:
    """Head of the list. Everything, or one tag, is a page of its own; searches and other filters are not indexed."""
    tag = query.tags[0] if len(query.tags) == 1 else ""
    is_page = not query.after and replace(query, tags=(), sort="") == BrowseQuery() and len(query.tags) <= 1
    path = reverse("catalog:prompt_list")
    if tag:
        description = _("AI prompts tagged %(tag)s: see how each begins, then buy it.") % {"tag": tag}
    else:
        description = _("All AI prompts on sale. Search, filter by tag, price and model, and see how each begins.")
    return PageMeta(
        title=heading,
        description=description,
        canonical_url=absolute(f"{path}?{BrowseQuery(tags=query.tags).to_params().urlencode()}".rstrip("?"))
        if is_page
        else "",
        is_indexed=is_page,
    )


def describe_seller(seller: Seller, *, is_first: bool) -> PageMeta:
    path = seller.get_absolute_url()
    return PageMeta(
        title=seller.name,
        description=shorten(seller.bio) or _("Prompts by %(seller)s.") % {"seller": seller.name},
        canonical_url=absolute(path) if is_first else "",
        kind="profile",
        is_indexed=is_first,
        feed_url=absolute(reverse("sellers:seller_feed", args=[seller.slug])),
        feed_title=_("New prompts by %(seller)s") % {"seller": seller.name},
    )


def describe_prompt(prompt: Prompt, *, pictures: Iterable[str], is_on_sale: bool) -> PageMeta:
    """Head of a product page. What is not on sale is not indexed."""
    path = prompt.get_absolute_url()
    description = shorten(prompt.listing.summary) or _("An AI prompt for %(model)s.") % {
        "model": prompt.listing.model or _("any model")
    }
    return PageMeta(
        title=prompt.title,
        description=description,
        canonical_url=absolute(path) if is_on_sale else "",
        kind="product",
        image_url=absolute(reverse("catalog:prompt_card_image", args=[prompt.listing.slug])) if is_on_sale else "",
        is_indexed=is_on_sale,
        facts=describe_product(prompt, description=description, pictures=pictures) if is_on_sale else None,
    )


def describe_product(prompt: Prompt, *, description: str, pictures: Iterable[str]) -> dict:
    """Source: schema.org Product and BreadcrumbList, and what Google asks of a product with one offer.

    Without reviews there is no rating: a rating of nothing would be an invented number.
    """
    url = absolute(prompt.get_absolute_url())
    product = {
        "@type": "Product",
        "@id": f"{url}#product",
        "name": prompt.title,
        "description": description,
        "url": url,
        "sku": prompt.listing.slug,
        "image": [absolute(address) for address in pictures],
        "offers": {
            "@type": "Offer",
            "price": str(prompt.price),
            "priceCurrency": "KRW",
            "availability": "https://schema.org/InStock",
            "itemCondition": "https://schema.org/NewCondition",
            "url": url,
            "hasMerchantReturnPolicy": {
                "@type": "MerchantReturnPolicy",
                "applicableCountry": "KR",
                "returnPolicyCategory": "https://schema.org/MerchantReturnFiniteReturnWindow",
                "merchantReturnDays": 7,
                "merchantReturnLink": absolute(reverse("marketplace:refund_policy")),
                "returnFees": "https://schema.org/FreeReturn",
            },
        },
    }
    if prompt.listing.seller:
        seller = {
            "@type": "Organization",
            "name": prompt.listing.seller.name,
            "url": absolute(prompt.listing.seller.get_absolute_url()),
        }
        product["brand"] = {"@type": "Brand", "name": prompt.listing.seller.name}
        product["offers"]["seller"] = seller
    if prompt.review_count and prompt.rating:
        product["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": round(prompt.rating, 1),
            "reviewCount": prompt.review_count,
            "bestRating": 5,
            "worstRating": 1,
        }
    steps = [(_("Home"), reverse("catalog:home")), (_("Browse"), reverse("catalog:prompt_list")), (prompt.title, url)]
    trail = {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": absolute(address)}
            for position, (name, address) in enumerate(steps, start=1)
        ],
    }
    return {"@context": "https://schema.org", "@graph": [product, trail]}


_UNSAFE_IN_SCRIPT = {ord(character): f"\\u{ord(character):04X}" for character in "<>&\u2028\u2029"}


def dump_json_ld(facts: dict) -> str:
    """JSON that cannot end the script element it stands in, whatever a title says."""
    return json.dumps(facts, ensure_ascii=False).translate(_UNSAFE_IN_SCRIPT)


# --- Sitemap. Source: sitemaps.org protocol 0.9


def list_sitemap_numbers() -> list[int]:
    """Numbers of the files that the index names; one number means that a single file holds everything."""
    span = Listing.objects.aggregate(first=Min("pk"), last=Max("pk"))
    if span["last"] is None:
        return [0]
    return list(range(span["first"] // SITEMAP_STEP, span["last"] // SITEMAP_STEP + 1))


def write_sitemap_index(numbers: list[int]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    for number in numbers:
        yield f"<sitemap><loc>{escape(absolute(reverse('catalog:sitemap_file', args=[number])))}</loc></sitemap>\n"
    yield "</sitemapindex>\n"


def write_sitemap(
    number: int, *, with_pages: bool, others: Iterable[tuple[str, datetime | None]] = ()
) -> Iterator[str]:
    """Addresses of the listings with these numbers, streamed; `with_pages` adds what is no listing.

    others: paths of other apps' pages with the time they last changed, which come with the pages.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    if with_pages:
        for name in ("catalog:home", "catalog:prompt_list", "sellers:sell", "mcp:connect"):
            yield _sitemap_entry(reverse(name))
        for name in ("marketplace:refund_policy", "marketplace:terms"):
            yield _sitemap_entry(reverse(name))
        for slug in Seller.objects.active().order_by("pk").values_list("slug", flat=True).iterator():
            yield _sitemap_entry(reverse("sellers:seller_detail", args=[slug]))
        for path, updated_at in others:
            yield _sitemap_entry(path, updated_at)
    before, _sep, after = reverse("catalog:prompt_detail", args=["SLUG"]).partition("SLUG")
    span = (number * SITEMAP_STEP, (number + 1) * SITEMAP_STEP - 1)
    rows = Prompt.objects.on_sale().filter(listing__pk__range=span).order_by("listing__pk")
    for slug, updated_at in rows.values_list("listing__slug", "listing__updated_at").iterator():
        yield _sitemap_entry(f"{before}{quote(slug)}{after}", updated_at)
    yield "</urlset>\n"


def _sitemap_entry(path: str, updated_at: datetime | None = None) -> str:
    changed = f"<lastmod>{updated_at.date().isoformat()}</lastmod>" if updated_at else ""
    return f"<url><loc>{escape(absolute(path))}</loc>{changed}</url>\n"


# --- Robots, feed, llms.txt


def write_robots() -> str:
    """Private pages stay out; sorted and filtered lists say `noindex` themselves, so robots may read them.

    Source: RFC 9309.
    """
    closed = ["/admin/", "/account/", "/accounts/", "/cart/", "/checkout/", "/library/", "/orders/", "/payments/"]
    closed += ["/sandbox/", "/sell/application/", "/sell/link/", "/studio/"]
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed), "Allow: /", ""]
    return "\n".join([*lines, f"Sitemap: {absolute(reverse('catalog:sitemap'))}", ""])


_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


def _for_xml(text: str) -> str:
    """The text without characters that no XML may hold: one of them in one title would end the feed for everybody."""
    return _NOT_IN_XML.sub("", text)


def build_feed(prompts: QuerySet, *, title: str, page_path: str, feed_path: str) -> Atom1Feed:
    """Newest first, in the site's first language. Source: RFC 4287.

    prompts: loaded by `for_cards()`; an entry carries title, price and summary, as the card does.
    """
    feed = Atom1Feed(
        title=_for_xml(title),
        link=absolute(page_path),
        feed_url=absolute(feed_path),
        description="",
        subtitle=_("Prompts that have just gone on sale."),
        language=settings.LANGUAGE_CODE,
        author_name=describe_site()["name"],
    )
    for prompt in prompts:
        listing = prompt.listing
        url = absolute(prompt.get_absolute_url())
        feed.add_item(
            title=_for_xml(prompt.title),
            link=url,
            unique_id=url,
            description=_for_xml(f"{won(prompt.price)} · {shorten(listing.summary, 300)}".rstrip(" ·")),
            author_name=_for_xml(listing.seller.name) if listing.seller else None,
            author_link=absolute(listing.seller.get_absolute_url()) if listing.seller else None,
            pubdate=listing.published_at or prompt.created_at,
            updateddate=listing.updated_at,
            categories=normalize_tags(prompt.tags),
        )
    return feed


def answer_feed(request, feed: Atom1Feed) -> HttpResponse:
    content = feed.writeString("utf-8")
    response = HttpResponse(content, content_type="application/atom+xml; charset=utf-8")
    return answer_once(request, response, fingerprint(content))


def write_llms(*, prompts: Iterable[Prompt], tags: Iterable[tuple[str, int]]) -> str:
    """A map of the site in Markdown. Source: llmstxt.org."""
    site = describe_site()
    browse = absolute(reverse("catalog:prompt_list"))
    lines = [
        f"# {site['name']}",
        "",
        "> " + _("A shop for AI prompts: see how one begins, buy it, and open it when you are ready."),
        "",
        _(
            "Prices are in Korean won, VAT included. The text of a prompt is shown to its buyers only; "
            "pages show its beginning. A purchase that was not opened can be cancelled within 7 days."
        ),
        "",
        "## " + pgettext("of the site", "Pages"),
        "",
        f"- [{_('All prompts')}]({browse}): "
        + _("parameters: q (search), tag, not, model, kind, lang, min, max, free, rating, sort"),
        f"- [{_('New prompts')}]({absolute(reverse('catalog:prompt_feed'))}): Atom",
        f"- [{_('MCP servers')}]({absolute(reverse('mcp:server_list'))}): "
        + _("parameters: q (search), state, transport, auth, sort"),
        f"- [{_('Sitemap')}]({absolute(reverse('catalog:sitemap'))}): XML",
        f"- [{_('Refunds')}]({absolute(reverse('marketplace:refund_policy'))})",
        "",
        "## " + _("Tags"),
        "",
    ]
    for tag, amount in tags:
        counted = ngettext("%(count)d prompt", "%(count)d prompts", amount) % {"count": amount}
        lines.append(f"- [{_plain(tag)}]({browse}?tag={quote(tag)}): {counted}")
    lines += ["", "## " + _("New prompts"), ""]
    for prompt in prompts:
        summary = shorten(prompt.listing.summary)
        note = f"{won(prompt.price)}{'. ' if summary else ''}{summary}"
        lines.append(f"- [{_plain(prompt.title)}]({absolute(prompt.get_absolute_url())}): {note}")
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """A text that stays inside a Markdown link."""
    return " ".join(text.split()).replace("[", "(").replace("]", ")")
