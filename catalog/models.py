"""What is sold: prompts (`prompts`), how they are offered (`listings`), their versions, tags and reviews."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketplace.fields import DatabaseCascadeForeignKey, DatabaseCascadeOneToOneField
from marketplace.querysets import DatedQuerySet
from sellers.models import Seller

MIN_PRICE_KRW, MAX_PRICE_KRW = 100, 10_000_000  # of what is not free
EDIT_SHOWS_AFTER = timedelta(minutes=1)


class PromptQuerySet(DatedQuerySet):
    def on_sale(self):
        """What anybody may find and buy. A listing of a suspended seller is not among them."""
        return self.filter(is_published=True, listing__isnull=False).exclude(
            listing__seller__status=Seller.Status.SUSPENDED
        )

    def for_cards(self):
        """Everything a card shows, and neither `prompt_text` nor `file_url`: one query however many cards."""
        return self.select_related("listing__seller").defer(
            "prompt_text", "file_url", "description", "listing__description_html", "listing__state_reason"
        )

    def for_page(self):
        """Everything the product page shows. `prompt_text` is in it, for the public preview only."""
        return self.select_related("listing__seller__user__profile", "listing__seller__business")


class Prompt(models.Model):
    """A prompt for sale. Source: schema document, table `prompts`.

    `file_url` is `private://<name in the private storage>`, or an `http(s)` address that another program wrote.
    `prompt_text` and `file_url` are what buyers pay for: they leave the server through `checkout/library.py` only.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    title = models.TextField(_("title"))
    description = models.TextField(_("description"), null=True, blank=True, help_text=_("Markdown."))
    price = models.IntegerField(
        _("price"),
        validators=[MinValueValidator(0), MaxValueValidator(MAX_PRICE_KRW)],
        help_text=_("Whole won, VAT included; 0 is free."),
    )
    prompt_text = models.TextField(_("prompt text"))
    image_urls = models.JSONField(_("images"), default=list, db_default=[], blank=True)
    tags = models.JSONField(_("tags"), default=list, db_default=[], blank=True)
    rating = models.FloatField(_("rating"), default=0, db_default=models.Value(0))
    review_count = models.IntegerField(_("reviews"), default=0, db_default=0)
    download_count = models.IntegerField(_("downloads"), default=0, db_default=0)
    view_count = models.IntegerField(_("views"), default=0, db_default=0)
    file_url = models.TextField(_("file"), null=True, blank=True)
    is_published = models.BooleanField(_("published"), default=True, db_default=True)

    objects = PromptQuerySet.as_manager()

    class Meta:
        db_table = "prompts"
        verbose_name = _("prompt")
        verbose_name_plural = _("prompts")
        indexes = [
            models.Index(fields=["id"], name="idx_prompts_id"),
            models.Index(fields=["is_published"], name="idx_prompts_is_published"),
        ]
        constraints = [
            models.CheckConstraint(name="prompts_price_is_not_negative", condition=Q(price__gte=0)),
        ]
        # In English like Django's own: it is stored, in whatever language the command that makes it speaks.
        permissions = [("read_prompt_text", "Can read the text of any prompt (logged)")]

    def __str__(self):
        return f"{self.title} ({self.pk})"

    def get_absolute_url(self):
        return reverse("catalog:prompt_detail", args=[self.listing.slug])

    @property
    def is_free(self) -> bool:
        return self.price == 0

    @property
    def has_file(self) -> bool:
        return bool(self.file_url)


class Listing(models.Model):
    """How and by whom a prompt is offered: one row per prompt.

    `prompts.is_published` decides whether it is on sale, because every program may write it; `state` says why.
    `id` grows with each new listing and is the order "newest". `popularity` and `rating_rank` are the orders "popular"
    and "rating"; `search.py` works them out.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        WITHDRAWN = "withdrawn", _("withdrawn by the seller")
        REMOVED = "removed", _("removed by staff")

    class OutputKind(models.TextChoices):
        TEXT = "text", _("text")
        CODE = "code", _("code")
        TABLE = "table", _("table")
        IMAGE = "image", _("image")

    class ToolState(models.TextChoices):
        """Of all tools of MCP servers that the prompt needs together; `mcp/tools/needs.py` knows each."""

        NONE = "none", _("needs no tools")
        WORKING = "working", _("all tools work")
        UNKNOWN = "unknown", _("not known whether its tools work")
        BROKEN = "broken", _("a tool does not work")

    prompt = DatabaseCascadeOneToOneField(Prompt, models.CASCADE, related_name="listing")
    slug = models.SlugField(_("last part of the address"), max_length=120, unique=True, allow_unicode=True)
    seller = models.ForeignKey(
        Seller, models.PROTECT, null=True, blank=True, related_name="listings", verbose_name=_("seller")
    )
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PUBLISHED)
    state_reason = models.TextField(_("reason"), blank=True, help_text=_("Written for the seller."))
    summary = models.TextField(_("summary"), blank=True, help_text=_("The description in one plain line."))
    description_html = models.TextField(blank=True, editable=False)  # rendered and sanitised when saved
    model = models.CharField(_("model"), max_length=60, blank=True)
    output_kind = models.CharField(_("output"), max_length=16, choices=OutputKind, default=OutputKind.TEXT)
    language = models.CharField(_("language of the prompt"), max_length=8, default="ko")
    tool_state = models.CharField(_("tools"), max_length=8, choices=ToolState, default=ToolState.NONE, editable=False)
    text_length = models.IntegerField(_("characters"), default=0)
    line_count = models.IntegerField(_("lines"), default=0)
    variable_count = models.IntegerField(_("variables"), default=0)
    image_alts = models.JSONField(  # {address in `prompts.image_urls`: what the picture shows}
        _("alternative texts"), default=dict, blank=True
    )
    sales_count = models.IntegerField(_("sold"), default=0)
    # What `prompts.view_count` and `download_count` had from elsewhere before our own rows began to prove them.
    outside_view_count = models.IntegerField(default=0, editable=False)
    outside_download_count = models.IntegerField(default=0, editable=False)
    popularity = models.BigIntegerField(default=0, editable=False)
    rating_rank = models.FloatField(default=0, editable=False)  # Bayesian mean, fair to few reviews; 0 without one
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    class Meta:
        db_table = "listings"
        verbose_name = _("listing")
        verbose_name_plural = _("listings")
        indexes = [
            models.Index(fields=["popularity"], name="idx_listings_popularity"),
            models.Index(fields=["rating_rank", "id"], name="idx_listings_rating_rank"),
        ]
        constraints = [
            models.CheckConstraint(
                name="listings_state_is_known",
                condition=Q(state__in=["draft", "published", "withdrawn", "removed"]),
            ),
            models.CheckConstraint(
                name="listings_tool_state_is_known",
                condition=Q(tool_state__in=["none", "working", "unknown", "broken"]),
            ),
        ]

    def __str__(self):
        return self.slug

    def get_absolute_url(self):
        return reverse("catalog:prompt_detail", args=[self.slug])

    @property
    def needs_tools(self) -> bool:
        return self.tool_state != self.ToolState.NONE

    @property
    def has_broken_tool(self) -> bool:
        return self.tool_state == self.ToolState.BROKEN


class PromptVersion(models.Model):
    """One saved text of a prompt; never changed afterwards. Orders and entitlements know theirs."""

    prompt = DatabaseCascadeForeignKey(Prompt, models.CASCADE, related_name="versions")
    number = models.IntegerField()
    title = models.TextField()
    prompt_text = models.TextField()
    file_url = models.TextField(null=True, blank=True)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "prompt_versions"
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        constraints = [
            models.UniqueConstraint(fields=["prompt", "number"], name="prompt_versions_number_is_unique_per_prompt"),
            models.CheckConstraint(name="prompt_versions_number_counts_from_one", condition=Q(number__gte=1)),
        ]

    def __str__(self):
        return f"{self.prompt_id} v{self.number}"


class SearchDocument(models.Model):
    """A prompt on sale as lists and searches see it: its place in every order, and its terms. Written by `search.py`.

    `id` is the listing's `popularity`, `bucket << 40 | listing`, so that hits of the full-text index, which come by
    rowid, come by popularity and stop after a page. `title`, `description` and `tags` hold tokens separated by spaces,
    and `facets` one token for each filter value. The prompt's text is not in it: searching for guesses would read out
    what is hidden. Migration 0003 makes the full-text index over this table: FTS5, or a `tsvector` on PostgreSQL.
    """

    id = models.BigIntegerField(primary_key=True)
    listing = models.OneToOneField(Listing, models.CASCADE, db_constraint=False, related_name="search_document")
    price = models.IntegerField()
    rating_rank = models.FloatField()
    facets = models.TextField()
    title = models.TextField()
    tags = models.TextField()
    description = models.TextField()

    class Meta:
        db_table = "search_documents"
        indexes = [
            models.Index(fields=["price", "-id"], name="idx_search_documents_cheapest"),
            models.Index(fields=["price", "id"], name="idx_search_documents_dearest"),
            models.Index(fields=["rating_rank", "id"], name="idx_search_documents_rating"),
        ]

    def __str__(self):
        return f"{self.pk} {self.listing_id}"


class FacetTotal(models.Model):
    """How many prompts on sale carry a filter value. Kept by `search.py` with the documents."""

    kind = models.CharField(max_length=1)
    value = models.CharField(max_length=80)
    prompt_count = models.IntegerField(default=0)

    class Meta:
        db_table = "facet_totals"
        indexes = [models.Index(fields=["kind", "-prompt_count"], name="idx_facet_totals_largest")]
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="facet_totals_value_is_unique_per_kind")]

    def __str__(self):
        return f"{self.kind} {self.value}: {self.prompt_count}"


class ReviewQuerySet(models.QuerySet):
    def visible(self):
        return self.filter(hidden_at__isnull=True)


class Review(models.Model):
    """What a buyer says of a prompt; one per buyer and prompt.

    Hidden ones count nowhere: staff hid it with a note for its author, or its author got their money back.
    """

    class HiddenReason(models.TextChoices):
        STAFF = "staff", _("hidden by staff")
        REFUNDED = "refunded", _("the purchase was refunded")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    prompt = DatabaseCascadeForeignKey(Prompt, models.CASCADE, related_name="reviews", verbose_name=_("prompt"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="reviews", verbose_name=_("author")
    )
    rating = models.IntegerField(_("stars"), validators=[MinValueValidator(1), MaxValueValidator(5)])
    body = models.TextField(_("review"), blank=True)
    model_used = models.CharField(_("model used"), max_length=60, blank=True)
    reply = models.TextField(_("reply of the seller"), blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)
    hidden_at = models.DateTimeField(_("hidden at"), null=True, blank=True)
    hidden_reason = models.CharField(_("why hidden"), max_length=16, choices=HiddenReason, blank=True)
    hidden_note = models.TextField(_("reason"), blank=True, help_text=_("Written for the author of the review."))
    created_at = models.DateTimeField(_("written at"), default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        db_table = "reviews"
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        constraints = [
            models.UniqueConstraint(fields=["prompt", "author"], name="reviews_one_per_author_and_prompt"),
            models.CheckConstraint(name="reviews_rating_is_1_to_5", condition=Q(rating__gte=1, rating__lte=5)),
            models.CheckConstraint(
                name="reviews_hidden_ones_say_why",
                condition=Q(hidden_at__isnull=True, hidden_reason="")
                | Q(hidden_at__isnull=False, hidden_reason__in=["staff", "refunded"]),
            ),
        ]

    def __str__(self):
        return f"{self.rating}/5, {self.created_at:%Y-%m-%d}"  # the admin shows and logs it

    @property
    def is_hidden(self) -> bool:
        return self.hidden_at is not None

    @property
    def is_edited(self) -> bool:
        """Changed later than the slip of a finger is corrected."""
        return self.updated_at - self.created_at >= EDIT_SHOWS_AFTER


class PromptView(models.Model):
    """Who saw a product page on which day, as a keyed hash; `view_count` grows by one per row. Pruned after a day."""

    prompt = DatabaseCascadeForeignKey(Prompt, models.CASCADE, related_name="view_rows")
    visitor = models.CharField(max_length=32)
    seen_on = models.DateField()

    class Meta:
        db_table = "prompt_views"
        indexes = [models.Index(fields=["seen_on"], name="idx_prompt_views_seen_on")]
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "visitor", "seen_on"], name="prompt_views_one_per_visitor_and_day"
            ),
        ]

    def __str__(self):
        return f"{self.prompt_id} {self.seen_on}"


class PromptDay(models.Model):
    """What happened to a prompt on one day in Seoul, money aside. `PromptView` forgets who; this keeps how many."""

    prompt = DatabaseCascadeForeignKey(Prompt, models.CASCADE, related_name="days")
    day = models.DateField()
    view_count = models.IntegerField(default=0)
    cart_count = models.IntegerField(default=0)  # times it was put into a cart

    class Meta:
        db_table = "prompt_days"
        constraints = [
            models.UniqueConstraint(fields=["prompt", "day"], name="prompt_days_one_per_prompt_and_day"),
            models.CheckConstraint(
                name="prompt_days_counts_are_not_negative", condition=Q(view_count__gte=0, cart_count__gte=0)
            ),
        ]

    def __str__(self):
        return f"{self.prompt_id} {self.day}"


class Report(models.Model):
    """Somebody says that a listing or a review breaks the rules. Staff handle it once; the outcome stays."""

    class Reason(models.TextChoices):
        COPIED = "copied", _("copied from somebody else")
        MISLEADING = "misleading", _("not what it says it is")
        HARMFUL = "harmful", _("harmful or against the law")
        PERSONAL_DATA = "personal_data", _("shows somebody's personal data")
        ADVERTISING = "advertising", _("advertising or spam")
        ABUSIVE = "abusive", _("insulting")
        OTHER = "other", _("something else")

    class Outcome(models.TextChoices):
        UPHELD = "upheld", _("acted upon")
        DISMISSED = "dismissed", _("nothing wrong found")

    prompt = DatabaseCascadeForeignKey(
        Prompt, models.CASCADE, null=True, blank=True, related_name="reports", verbose_name=_("prompt")
    )
    review = models.ForeignKey(
        Review, models.CASCADE, null=True, blank=True, related_name="reports", verbose_name=_("review")
    )
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reported by"),
    )
    reason = models.CharField(_("reason"), max_length=16, choices=Reason)
    note = models.TextField(_("note"), blank=True)
    created_at = models.DateTimeField(_("reported at"), default=timezone.now)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, blank=True)
    handled_at = models.DateTimeField(_("handled at"), null=True, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("handled by")
    )

    class Meta:
        db_table = "reports"
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        indexes = [
            models.Index(fields=["created_at"], condition=Q(handled_at__isnull=True), name="idx_reports_waiting"),
        ]
        constraints = [
            models.CheckConstraint(
                name="reports_are_about_one_thing",
                condition=Q(prompt__isnull=False, review__isnull=True) | Q(prompt__isnull=True, review__isnull=False),
            ),
            models.CheckConstraint(
                name="reports_handled_ones_have_an_outcome",
                condition=Q(handled_at__isnull=True, outcome="")
                | Q(handled_at__isnull=False, outcome__in=["upheld", "dismissed"]),
            ),
            models.UniqueConstraint(
                fields=["reporter", "prompt"],
                condition=Q(handled_at__isnull=True, prompt__isnull=False),
                name="reports_one_waiting_per_person_and_prompt",
            ),
            models.UniqueConstraint(
                fields=["reporter", "review"],
                condition=Q(handled_at__isnull=True, review__isnull=False),
                name="reports_one_waiting_per_person_and_review",
            ),
        ]

    def __str__(self):
        return f"{self.reason} {self.prompt_id or self.review_id}"
