"""The demo shop is loaded once for this module, in a transaction that is rolled back at its end."""

import json
from collections import Counter
from datetime import timedelta
from io import StringIO

import pytest
from django.core.files.storage import default_storage, storages
from django.core.mail import get_connection
from django.core.management import call_command
from django.db import transaction
from django.db.models import Avg, Count, F, Sum
from django.utils import timezone

from accounts.models import User
from catalog.demo_catalogue import DemoFiles, demo_id
from catalog.images import COVER_WIDTHS, DRAWN_FOLDER
from catalog.management.commands import load_demo
from catalog.models import Listing, Prompt, PromptDay, PromptVersion, Report, Review, SearchDocument
from catalog.variables import find_variables
from checkout.ledger import find_unbalanced_order_ids
from checkout.models import (
    CartItem,
    Entitlement,
    LedgerEntry,
    Order,
    OrderLine,
    OrderMail,
    Payment,
    Payout,
    Purchase,
    Refund,
    SandboxPayment,
    Statement,
)
from mcp.models import Entry, HealthCheck, Incident, McpServer, ServerDay, Tool, ToolChange, ToolNeed
from sellers.models import ApplicationCase, Seller, SellerApplication, SellerMail

TABLES = [
    User,
    Seller,
    Prompt,
    Listing,
    PromptVersion,
    PromptDay,
    Review,
    Report,
    Order,
    Purchase,
    CartItem,
    Statement,
    Payout,
    SellerApplication,
    McpServer,
    Entry,
    HealthCheck,
    ServerDay,
    Incident,
    Tool,
    ToolChange,
    ToolNeed,
]


def load(*options):
    out = StringIO()
    call_command("load_demo", *options, stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module")
def demo(django_db_setup, django_db_blocker):
    """What the first run printed."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield load("--known-password")
        transaction.set_rollback(True)


@pytest.fixture
def changes(demo):
    """Whatever the test writes is undone after it."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_there_are_sixty_prompts_on_sale_in_two_languages_over_a_dozen_tags(demo):
    on_sale = Prompt.objects.on_sale()
    languages = Counter(on_sale.values_list("listing__language", flat=True))
    tags = {tag for prompt in on_sale for tag in prompt.tags}

    assert on_sale.count() >= 60
    assert languages["ko"] >= 42
    assert languages["en"] >= 15
    assert len(tags) >= 12


@pytest.mark.parametrize("name", sorted(DemoFiles().prompts))
def test_a_demo_prompt_is_worth_its_price(name):
    content = DemoFiles().prompts[name]

    assert 500 <= len(content["prompt_text"].strip()) <= 3_000
    assert len(find_variables(content["prompt_text"])) >= 3
    assert content["price"] == 0 or 1_000 <= content["price"] <= 39_000
    assert 2 <= len(content["tags"]) <= 5
    assert len(content["description"].strip().splitlines()) >= 2
    assert content["prompt_text"].strip()[:100] not in content["description"]


def test_no_two_demo_prompts_are_alike():
    texts = [content["prompt_text"].split() for content in DemoFiles().prompts.values()]
    for position, text in enumerate(texts):
        for other in texts[:position]:
            assert len(set(text) & set(other)) / min(len(set(text)), len(set(other))) < 0.6


def test_listings_stand_in_every_state_and_the_removed_one_says_why(demo):
    states = Counter(Listing.objects.values_list("state", flat=True))

    assert set(states) == set(Listing.State.values)
    assert Listing.objects.get(state=Listing.State.REMOVED).state_reason
    assert not Prompt.objects.exclude(listing__state=Listing.State.PUBLISHED).filter(is_published=True).exists()


def test_what_is_on_sale_is_in_the_search_index_and_nothing_else(demo):
    on_sale = set(Prompt.objects.on_sale().values_list("listing", flat=True))

    assert set(SearchDocument.objects.values_list("listing_id", flat=True)) == on_sale


def test_prompts_are_listed_in_the_order_of_their_dates(demo):
    dates = list(Listing.objects.order_by("pk").values_list("created_at", flat=True))

    assert dates == sorted(dates)


def test_the_covers_of_the_grids_are_drawn(demo):
    _, names = default_storage.listdir(DRAWN_FOLDER)

    assert len([name for name in names if name.endswith(f"-{min(COVER_WIDTHS)}.webp")]) >= Prompt.objects.count()


def test_files_lie_in_the_private_storage(demo):
    addresses = Prompt.objects.exclude(file_url=None).values_list("file_url", flat=True)

    assert len(addresses) >= 8
    for address in addresses:
        assert storages["private"].size(address.removeprefix("private://")) > 200


def test_ratings_agree_with_the_reviews(demo):
    counted = Review.objects.order_by().values("prompt").annotate(mean=Avg("rating"), n=Count("pk"))
    expected = {row["prompt"]: (round(row["mean"], 2), row["n"]) for row in counted}
    stored = Prompt.objects.filter(review_count__gt=0).values_list("pk", "rating", "review_count")

    assert {pk: (rating, n) for pk, rating, n in stored} == expected
    assert all(rank > 0 for rank in Listing.objects.filter(prompt__in=expected).values_list("rating_rank", flat=True))


def test_nobody_reviews_what_they_have_not_bought_and_opened(demo):
    opened = Entitlement.objects.filter(opened_at__isnull=False, revoked_at=None)
    rights = {(e.user_id, e.prompt_id): e.opened_at for e in opened}

    for review in Review.objects.all():
        assert rights[review.author_id, review.prompt_id] < review.created_at


def test_every_paid_order_is_charged_and_delivered(demo):
    for order in Order.objects.exclude(total_krw=0):
        assert order.payments.get().status == Payment.Status.PAID
    assert OrderLine.objects.filter(entitlement=None).count() == 0
    assert Purchase.objects.count() == OrderLine.objects.count()


def test_the_books_of_the_demo_balance_and_agree_with_the_sandbox_s(demo):
    assert find_unbalanced_order_ids() == []
    for payment in Payment.objects.all():
        booked = payment.ledger_entries.filter(account="provider").aggregate(n=Sum("amount_krw"))["n"]
        assert booked == SandboxPayment.objects.get(reference=payment.reference).balance_krw
        assert booked == payment.order.balance_krw


def test_the_sellers_of_the_demo_pay_their_fee(demo, settings):
    fees = LedgerEntry.objects.filter(account="fee", kind="charge").select_related("order_line")

    assert fees.exists()
    for fee in fees:
        assert -fee.amount_krw == fee.order_line.price_krw * settings.PLATFORM_FEE_BP // 10_000


def test_nobody_of_the_demo_gets_a_mail_not_even_later(demo):
    assert not OrderMail.objects.exists()


def test_the_shopper_has_sealed_opened_and_refunded_purchases_and_a_cart(demo):
    shopper = User.objects.get(email="shopper@example.com")
    rights = shopper.entitlements

    assert rights.live().filter(opened_at=None).exists()
    assert rights.live().filter(opened_at__isnull=False).exists()
    assert rights.filter(revoked_at__isnull=False).exists()
    assert shopper.cart_items.exists()


def test_a_withdrawn_prompt_stays_with_its_buyer(demo):
    withdrawn = Prompt.objects.get(listing__state=Listing.State.WITHDRAWN)

    assert Entitlement.objects.live().filter(prompt=withdrawn).exists()


def test_order_numbers_carry_the_day_they_were_placed(demo):
    from django.utils import timezone

    for order in Order.objects.all():
        assert order.number.startswith(f"PJ{timezone.localdate(order.created_at):%y%m%d}-")


def test_the_printed_accounts_can_sign_in(demo):
    for account in load_demo.ACCOUNTS:
        user = User.objects.get(email=account["email"])
        assert user.check_password(load_demo.PASSWORD)
        assert user.emailaddress_set.get().verified
    assert User.objects.get(email="staff@example.com").is_staff


def test_a_second_run_adds_and_changes_nothing(demo, changes):
    Prompt.objects.filter(pk=demo_id("prompt", "sql-tuning")).update(price=1_000, title="바꾼 제목")
    CartItem.objects.all().delete()
    before = [table.objects.count() for table in TABLES]

    out = load("--known-password")

    assert [table.objects.count() for table in TABLES] == before
    assert Prompt.objects.get(pk=demo_id("prompt", "sql-tuning")).title == "바꾼 제목"
    assert out == "demo is there already, nothing added\n"


def test_the_first_run_says_in_one_line_what_it_added(demo):
    assert demo.count("\n") == 1
    assert f"{len(DemoFiles().prompts)} prompts" in demo


def test_json_counts_what_was_added(demo, changes):
    assert set(json.loads(load("--json"))["added"].values()) == {0}


@pytest.mark.django_db
def test_outside_of_debug_nobody_gets_the_known_password_and_nobody_becomes_staff():
    from catalog.demo_catalogue import add_people
    from tests.factories import NOON

    users, _ = add_people(files=DemoFiles(), password=None, now=NOON)

    assert not any(user.has_usable_password() for user in users.values())
    assert not any(user.is_staff or user.is_superuser for user in users.values())


@pytest.mark.django_db
def test_an_account_that_has_a_demo_address_keeps_its_password_and_rights():
    from catalog.demo_catalogue import add_people
    from tests.factories import NOON, make_user

    person = make_user(email="staff@example.com", password="my own secret")

    users, added = add_people(files=DemoFiles(), password="promptjang-demo", now=NOON)

    assert users["staff"] == person
    assert "staff" not in added
    assert users["staff"].check_password("my own secret")
    assert not users["staff"].is_staff


def test_mail_works_again_after_loading(demo):
    assert "dummy" not in type(get_connection()).__module__


@pytest.mark.django_db
def test_the_demo_pays_in_the_sandbox_whatever_keys_are_set(settings):
    settings.TOSS_CLIENT_KEY, settings.TOSS_SECRET_KEY, settings.TOSS_SANDBOX = "test_ck_x", "test_sk_x", False

    load()

    assert set(Payment.objects.values_list("provider", flat=True)) == {"sandbox"}


def test_views_of_the_days_add_up_to_the_counters(demo):
    of_days = dict(PromptDay.objects.order_by().values_list("prompt").annotate(Sum("view_count")))
    counted = dict(Prompt.objects.filter(view_count__gt=0).values_list("pk", "view_count"))

    assert of_days == counted
    assert PromptDay.objects.filter(cart_count__gt=0).exists()
    assert not PromptDay.objects.filter(day__gt=timezone.localdate()).exists()


def test_sales_reach_over_two_months(demo):
    paid = OrderLine.objects.filter(seller__isnull=False, price_krw__gt=0, order__paid_at__isnull=False)
    days = {timezone.localdate(at) for at in paid.values_list("order__paid_at", flat=True)}

    assert (max(days) - min(days)).days >= 45
    assert max(days) >= timezone.localdate() - timedelta(days=7)
    assert Refund.objects.filter(status="done").count() >= 3


def test_sellers_reply_to_some_reviews_and_later_than_they_were_written(demo):
    replied = Review.objects.exclude(reply="")

    assert replied.count() == sum(bool(review.reply) for review in DemoFiles().reviews)
    assert replied.count() >= 20
    assert not replied.filter(replied_at__lte=F("created_at")).exists()
    assert not Review.objects.filter(created_at__gt=timezone.now()).exists()
    assert not replied.filter(replied_at__gt=timezone.now()).exists()


def test_sellers_say_who_they_are_in_law_and_that_it_is_an_example(demo):
    for seller in Seller.objects.all():
        assert "예시" in seller.business.trade_name or "example" in seller.business.trade_name


def test_some_prompts_have_a_second_version_that_says_what_changed(demo):
    names = [name for name, content in DemoFiles().prompts.items() if "update" in content]
    seconds = PromptVersion.objects.filter(number=2)

    assert len(names) >= 4
    assert {version.prompt_id for version in seconds} == {demo_id("prompt", name) for name in names}
    assert not seconds.filter(note="").exists()


def test_applications_are_in_every_state_and_processed_says_which_are_decided(demo):
    cases = ApplicationCase.objects.select_related("application")

    assert set(cases.values_list("status", flat=True)) == set(ApplicationCase.Status.values)
    for case in cases:
        assert case.application.processed == (case.status in ApplicationCase.DECIDED)
        assert not case.application.events.filter(at__gt=timezone.now()).exists()
    assert SellerApplication.objects.filter(case__isnull=True, processed=True).count() == 1


def test_somebody_reported_a_listing_and_a_review(demo):
    waiting = Report.objects.filter(handled_at__isnull=True)

    assert [waiting.filter(prompt__isnull=False).count(), waiting.filter(review__isnull=False).count()] == [1, 1]


def test_statements_cover_the_finished_months_and_one_payout_waits(demo):
    this_month = timezone.localdate().replace(day=1)
    statements = Statement.objects.all()

    assert statements.count() >= 2
    assert not statements.filter(month__gte=this_month).exists()
    assert statements.filter(payout__isnull=True, due_krw__gt=0).count() == 1
    assert not Payout.objects.filter(paid_on__gt=timezone.localdate()).exists()


def test_no_mail_is_queued_for_made_up_sellers(demo):
    assert not SellerMail.objects.exists()


def test_prompts_need_tools_that_work_changed_and_vanished(demo):
    needs = {str(need): (need.state, need.is_described_anew) for need in ToolNeed.objects.all()}

    assert needs == {
        "dictionary/look_up": ("working", False),
        "dictionary/check_spelling": ("working", True),
        "holiday-calendar/list_holidays": ("working", False),
        "order-desk/list_returns": ("working", False),
        "order-desk/export_orders": ("missing", False),
    }
    states = Listing.objects.exclude(tool_state="none").values_list("prompt__title", "tool_state")
    assert sorted(state for _title, state in states) == ["broken", "working", "working"]
