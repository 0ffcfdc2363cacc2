"""Who sells: applications (`seller_waitlist`), what was decided about them, and the sellers that came of them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketplace.fields import DatabaseCascadeForeignKey, DatabaseCascadeOneToOneField
from marketplace.mail_queue import QueuedMail
from marketplace.querysets import DatedQuerySet


class SellerApplicationQuerySet(DatedQuerySet):
    def pending(self):
        """What waits for a decision."""
        return self.filter(processed=False)

    def oldest_first(self):
        return self.order_by("created_at", "pk")

    def in_category(self, key: str):
        """`key` is one of `categories.CATEGORIES`: plain ASCII, so it stands in the stored text as it is."""
        return self.alias(categories_text=Cast("categories", models.TextField())).filter(
            categories_text__contains=f'"{key}"'
        )


class SellerApplication(models.Model):
    """Somebody who asks to sell. Source: schema document, table `seller_waitlist`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(_("applied at"), default=timezone.now)
    name = models.TextField(_("name"))
    email = models.TextField(_("e-mail address"))
    portfolio_url = models.TextField(_("portfolio"), null=True, blank=True)
    categories = models.JSONField(_("categories"), default=list, db_default=[], blank=True)
    message = models.TextField(_("message"), null=True, blank=True)
    processed = models.BooleanField(_("processed"), default=False, db_default=False)

    objects = SellerApplicationQuerySet.as_manager()

    class Meta:
        db_table = "seller_waitlist"
        verbose_name = _("seller application")
        verbose_name_plural = _("seller applications")
        indexes = [models.Index(fields=["processed"], name="idx_seller_waitlist_processed")]

    def __str__(self):
        return f"{self.name} <{self.email}>"


class ApplicationCase(models.Model):
    """How an application stands, and why: one row for one of `seller_waitlist`, which has no column for it.

    A row that another program wrote has none until staff first act on it; it counts as received. `processed` is 1
    exactly while `status` is one of DECIDED; `onboarding.py` moves both in one transaction.
    `email_key` is the address in one form, so that nobody waits twice; NULL for a row whose address has a case already.
    """

    class Status(models.TextChoices):
        RECEIVED = "received", _("received")
        IN_REVIEW = "in_review", _("in review")
        ASKED = "asked", _("waiting for an answer")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")
        WITHDRAWN = "withdrawn", _("withdrawn by the applicant")

    DECIDED = [Status.ACCEPTED, Status.DECLINED, Status.WITHDRAWN]

    application = DatabaseCascadeOneToOneField(
        SellerApplication, models.CASCADE, primary_key=True, related_name="case", verbose_name=_("application")
    )
    email_key = models.CharField(max_length=320, unique=True, null=True, blank=True, editable=False)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.RECEIVED)
    reason = models.TextField(_("reason"), blank=True, help_text=_("Written for the applicant."))
    language = models.CharField(_("language"), max_length=8, default="ko")
    consent_version = models.CharField(_("version of the consent"), max_length=16, blank=True)
    consented_at = models.DateTimeField(_("agreed at"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    class Meta:
        db_table = "seller_application_cases"
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        indexes = [models.Index(fields=["status"], name="idx_application_cases_status")]
        constraints = [
            models.CheckConstraint(
                name="seller_application_cases_status_is_known",
                condition=Q(status__in=["received", "in_review", "asked", "accepted", "declined", "withdrawn"]),
            ),
            models.CheckConstraint(
                name="seller_application_cases_decided_ones_have_their_time",
                condition=Q(status__in=["accepted", "declined", "withdrawn"], decided_at__isnull=False)
                | (~Q(status__in=["accepted", "declined", "withdrawn"]) & Q(decided_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="seller_application_cases_declined_ones_say_why", condition=~Q(status="declined") | ~Q(reason="")
            ),
        ]

    def __str__(self):
        return f"{self.application_id} {self.status}"


class ApplicationEvent(models.Model):
    """What happened to an application, oldest first; rows are only ever added.

    `text` is what the applicant reads (a reason, a question) or wrote (an answer); of a note it is for staff alone.
    """

    class Kind(models.TextChoices):
        RECEIVED = "received", _("received")
        SENT_AGAIN = "sent_again", _("sent again by somebody with the same address")
        REVIEW_STARTED = "review_started", _("review started")
        ASKED = "asked", _("asked for more")
        ANSWERED = "answered", _("answered by the applicant")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")
        WITHDRAWN = "withdrawn", _("withdrawn by the applicant")
        REOPENED = "reopened", _("opened again")
        NOTED = "noted", _("note")
        SELLER_MADE = "seller_made", _("seller made")

    application = DatabaseCascadeForeignKey(
        SellerApplication, models.CASCADE, related_name="events", verbose_name=_("application")
    )
    kind = models.CharField(_("what"), max_length=16, choices=Kind)
    text = models.TextField(_("text"), blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    at = models.DateTimeField(_("when"), default=timezone.now)

    class Meta:
        db_table = "seller_application_events"
        verbose_name = _("event")
        verbose_name_plural = _("history")
        indexes = [models.Index(fields=["application", "at"], name="idx_application_events")]
        constraints = [
            models.CheckConstraint(
                name="seller_application_events_kind_is_known",
                condition=Q(
                    kind__in=[
                        "received",
                        "sent_again",
                        "review_started",
                        "asked",
                        "answered",
                        "accepted",
                        "declined",
                        "withdrawn",
                        "reopened",
                        "noted",
                        "seller_made",
                    ]
                ),
            )
        ]

    def __str__(self):
        return f"{self.kind} {self.application_id}"


class SellerQuerySet(models.QuerySet):
    def active(self):
        return self.filter(status=Seller.Status.ACTIVE)


class Seller(models.Model):
    """An account that may sell, and how it appears on its listings."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="seller", verbose_name=_("account")
    )
    slug = models.SlugField(_("last part of the address"), max_length=60, unique=True, allow_unicode=True)
    name = models.CharField(_("name"), max_length=80)
    bio = models.TextField(_("about"), blank=True)
    website_url = models.URLField(_("website"), blank=True)
    language = models.CharField(_("language"), max_length=8, default="ko", help_text=_("Of the mails to the seller."))
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField(_("since"), default=timezone.now)

    objects = SellerQuerySet.as_manager()

    class Meta:
        db_table = "sellers"
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        constraints = [
            models.CheckConstraint(
                name="sellers_status_is_known", condition=models.Q(status__in=["active", "suspended"])
            ),
        ]

    def __str__(self):
        return f"{self.name} ({self.slug})"

    def get_absolute_url(self):
        return reverse("sellers:seller_detail", args=[self.slug])


class SellerBusiness(models.Model):
    """Who a seller is in law, shown on the page of each of their prompts: one row per seller.

    Source: Act on Consumer Protection in Electronic Commerce, article 20(2) (facts about whoever sells through an
    intermediary) and article 13(1). `registration_number` is stored as `000-00-00000`.
    Small sellers need not report (article 12(1) of the act and the notice of the Fair Trade Commission on exemptions):
    they have `report_exemption` in place of `report_number`.
    """

    class Exemption(models.TextChoices):
        FEW_SALES = "few_sales", _("fewer than 50 sales in the previous year")
        SIMPLIFIED = "simplified", _("simplified taxpayer under the VAT Act")

    seller = models.OneToOneField(Seller, models.CASCADE, primary_key=True, related_name="business")
    trade_name = models.CharField(_("business name"), max_length=80)
    representative = models.CharField(_("representative"), max_length=40)
    registration_number = models.CharField(_("business registration number"), max_length=12)
    report_number = models.CharField(_("mail-order report number"), max_length=60, blank=True)
    report_exemption = models.CharField(_("why no report is needed"), max_length=16, choices=Exemption, blank=True)
    address = models.CharField(_("business address"), max_length=200)
    phone = models.CharField(_("phone"), max_length=30)
    email = models.EmailField(_("e-mail for buyers"))
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    class Meta:
        db_table = "seller_businesses"
        verbose_name = _("business facts")
        verbose_name_plural = _("business facts")
        constraints = [
            models.CheckConstraint(
                name="seller_businesses_have_a_report_or_an_exemption",
                condition=Q(report_exemption="") & ~Q(report_number="")
                | Q(report_exemption__in=["few_sales", "simplified"], report_number=""),
            ),
        ]

    def __str__(self):
        return f"{self.trade_name} ({self.registration_number})"


class SellerMail(QueuedMail):
    """A mail to somebody who sells or wants to. `context` holds what its templates show, as it was when queued."""

    class Kind(models.TextChoices):
        APPLICATION_RECEIVED = "application_received", _("application received")
        APPLICATION_ASKED = "application_asked", _("question about the application")
        APPLICATION_ACCEPTED = "application_accepted", _("application accepted")
        APPLICATION_DECLINED = "application_declined", _("application declined")
        FIRST_SALE = "first_sale", _("first sale")
        SALES_DIGEST = "sales_digest", _("sales of a day")
        NEW_REVIEW = "new_review", _("new review")
        LISTING_REMOVED = "listing_removed", _("listing removed")
        PAYOUT = "payout", _("payout")
        TOOLS_CHANGED = "tools_changed", _("tools changed")

    kind = models.CharField(_("mail"), max_length=24, choices=Kind)
    to = models.EmailField(_("to"))
    language = models.CharField(_("language"), max_length=8, default="ko")
    context = models.JSONField(default=dict, editable=False)
    application = DatabaseCascadeForeignKey(
        SellerApplication, models.CASCADE, null=True, blank=True, related_name="mails", verbose_name=_("application")
    )
    seller = models.ForeignKey(
        Seller, models.CASCADE, null=True, blank=True, related_name="mails", verbose_name=_("seller")
    )

    class Meta:
        db_table = "seller_mails"
        verbose_name = _("mail to a seller")
        verbose_name_plural = _("mails to sellers")
        indexes = [models.Index(fields=["status", "queued_at"], name="idx_seller_mails_status")]
        constraints = [
            models.CheckConstraint(
                name="seller_mails_status_is_known", condition=Q(status__in=["queued", "sending", "sent", "failed"])
            ),
            models.CheckConstraint(
                name="seller_mails_sent_ones_have_their_time", condition=~Q(status="sent") | Q(sent_at__isnull=False)
            ),
        ]
