"""The other side of the shop in one walk: apply, be accepted in the admin, list a prompt with a picture and a file,
have it bought and reviewed, and find the sale in the studio and on the statement.

In English, once with scripts and once without any.
"""

import io
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.storage import default_storage, storages
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Page, expect

from catalog.models import Listing, Prompt
from catalog.view_counts import flush_views
from checkout.models import Payout, Statement
from checkout.statements import build_finished_months, month_of
from sellers.models import Seller, SellerApplication
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

WRITER, TITLE = "mina@example.com", "Letters to regulars of a café"
TEXT = "You run a small café.\n\nWrite a letter to {{guest}} about {{weather}}.\nKeep it under 120 words.\n" * 4
GUIDE = b"# How to use it\n\nFill in the guest first.\n"
MONTH = timedelta(days=40)


@pytest.fixture(params=[True, False], ids=["scripts", "plain"])
def open_browser(request, open_page, sign_in):
    """`open_browser(user)`: a browser of that person's, of a visitor without one."""

    def open_one(user=None, **options) -> Page:
        page = open_page(locale="en-US", java_script_enabled=request.param, **options)
        if user:
            sign_in(page, user)
        return page

    return open_one


def picture() -> dict:
    data = io.BytesIO()
    Image.new("RGB", (1_200, 900), (180, 60, 40)).save(data, "JPEG")
    return {"name": "letter.jpg", "mimeType": "image/jpeg", "buffer": data.getvalue()}


def main(page: Page):
    return page.get_by_role("main")


def heading(page: Page):
    return page.get_by_role("heading", level=1)


def field(page: Page, label: str):
    """The field whose label begins so; what stands behind it says whether it is required."""
    return main(page).get_by_label(re.compile(f"^{re.escape(label)}")).first


def press(page: Page, name: str) -> None:
    """Send a form with the button whose words begin so, and wait for the page that answers."""
    with page.expect_navigation():
        main(page).get_by_role("button", name=re.compile(f"^{re.escape(name)}")).first.click()


def follow(page: Page, name: str) -> None:
    main(page).get_by_role("link", name=name, exact=True).first.click()


def link_in_mail(address: str) -> str:
    """The path of the first link of ours in the newest mail to this address."""
    body = [message.body for message in mail.outbox if address in message.to][-1]
    return re.search(r"http://localhost:8000(/\S+)", body)[1]


def apply(page: Page) -> None:
    page.goto("/sell/")
    field(page, "Name").fill("Mina Kim")
    field(page, "E-mail address").fill(WRITER.upper())
    field(page, "A link to your work").fill("https://mina.example/letters")
    page.get_by_label("Writing and editing").check()
    field(page, "What do your prompts do").fill("Letters that cafés send to people who come often.")
    expect(field(page, "I agree")).not_to_be_checked()
    field(page, "I agree").check()
    press(page, "Send the application")
    expect(page).to_have_url(re.compile("/sell/applied/$"))


def accept(page: Page) -> None:
    """In the admin: the queue, the application, the mail as it will be sent, the decision."""
    page.goto("/admin/")
    page.get_by_role("link", name=re.compile("application", re.IGNORECASE)).first.click()
    page.goto("/admin/sellers/sellerapplication/")
    page.get_by_role("link", name="Mina Kim").click()
    page.locator("#content").get_by_role("link", name=re.compile("^Accept")).click()
    expect(page.locator("#content")).to_contain_text("Your application to sell is accepted")
    page.locator("input[name=confirm]").click()


def publish(page: Page) -> None:
    """Business facts, the draft, its picture and file, the preview, the checklist, the button."""
    page.goto("/studio/business/")
    field(page, "Business name").fill("Mina's Letters")
    field(page, "Representative").fill("Mina Kim")
    field(page, "Business registration number").fill("1234567891")
    page.get_by_label("I have reported, and this is the number").check()
    field(page, "Mail-order report number").fill("2026-Seoul-0001")
    field(page, "Business address").fill("1 Example-ro, Seoul")
    field(page, "Phone").fill("02-123-4567")
    field(page, "E-mail").fill(WRITER)
    press(page, "Save")
    expect(page.locator(".problems")).to_have_count(0)

    page.goto("/studio/listings/new/")
    field(page, "Title").fill(TITLE)
    field(page, "Price in won").fill("9,900")
    field(page, "Description").fill("A letter a week, **in one voice**.")
    field(page, "The prompt itself").fill(TEXT)
    field(page, "Other tags").fill("letters, café")
    field(page, "Model").fill("GPT-5")
    page.get_by_label("What comes out of it").select_option("text")
    page.get_by_label("Language of the prompt").select_option("en")
    press(page, "Save the draft")
    expect(heading(page)).to_have_text(TITLE)
    expect(page.locator("#text-facts")).to_contain_text("2 variables")

    follow(page, "Pictures and file")
    page.locator("input#id_pictures").set_input_files([picture()])
    press(page, "Add pictures")
    field(page, "What it shows").fill("A letter on brown paper")
    press(page, "Save")  # what it shows
    page.locator("input#id_file").set_input_files([{"name": "사용법.md", "mimeType": "text/markdown", "buffer": GUIDE}])
    press(page, "Add the file")
    expect(main(page)).to_contain_text("사용법.md")

    page.goto(f"/prompts/{Listing.objects.get().slug}/?preview=1")
    expect(main(page).get_by_alt_text("A letter on brown paper").first).to_be_visible()
    page.goto(f"/studio/listings/{Prompt.objects.get().pk}/publish/")
    press(page, "Publish for ₩9,900")
    assert Prompt.objects.get().is_published


def buy_and_review(page: Page, slug: str) -> None:
    page.goto(f"/prompts/{slug}/")
    expect(main(page)).to_contain_text("Mina's Letters")
    expect(main(page)).to_contain_text("123-45-67891")
    page.get_by_role("button", name="Buy now").or_(page.get_by_role("link", name="Buy now")).first.click()
    for box in main(page).get_by_role("checkbox").all():
        box.check()
    main(page).get_by_role("button", name=re.compile("₩9,900")).click()
    page.get_by_role("button", name="Approve ₩9,900").click()
    page.goto(f"/library/{slug}/")
    press(page, "Open")
    expect(main(page)).to_contain_text("You run a small café.")

    page.goto(f"/library/{slug}/review/")
    main(page).get_by_label(re.compile("^4")).check()
    field(page, "Your experience").fill("My guests write back.")
    press(page, "Publish the review")
    page.goto(f"/prompts/{slug}/#reviews")
    expect(page.locator("#reviews")).to_contain_text("My guests write back.")


def test_from_the_application_to_the_statement(open_browser, base_url):
    staff = make_user(email="staff@example.com", is_staff=True, is_superuser=True)
    buyer = make_user(email="buyer@example.com", nickname="Sam")

    apply(open_browser())
    application = SellerApplication.objects.get()
    visitor = open_browser()
    visitor.goto(link_in_mail(application.email))
    expect(main(visitor)).to_contain_text("Mina Kim")

    accept(open_browser(staff))
    application.refresh_from_db()
    assert application.processed
    assert not Seller.objects.exists()  # nobody has confirmed the address yet
    visitor.reload()
    expect(main(visitor)).to_contain_text("accepted")

    writer_browser = open_browser()
    writer = make_user(email=WRITER, password="quiet-harbour-42")
    writer_browser.goto("/accounts/login/")
    writer_browser.locator("main input[type=email]").fill(WRITER)
    writer_browser.locator("main input[type=password]").fill("quiet-harbour-42")
    writer_browser.locator("main form button").first.click()
    expect(writer_browser.get_by_text("you can sell now")).to_be_visible()
    assert Seller.objects.get().user == writer

    publish(writer_browser)
    slug = Listing.objects.get().slug
    buyer_browser = open_browser(buyer)
    buy_and_review(buyer_browser, slug)
    answer = buyer_browser.request.get(f"/library/{slug}/file/")
    assert (answer.body(), "%EC%82%AC%EC%9A%A9%EB%B2%95.md" in answer.headers["content-disposition"]) == (GUIDE, True)

    flush_views()
    writer_browser.goto("/studio/sales/")
    expect(main(writer_browser)).to_contain_text("₩9,900")
    expect(main(writer_browser)).to_contain_text(TITLE)
    writer_browser.goto(f"/studio/statements/{month_of(timezone.now()):%Y-%m}/")
    for part in (TITLE, "₩9,900", "₩990", "₩8,910"):
        expect(main(writer_browser)).to_contain_text(part)
    subjects = [message.subject for message in mail.outbox if WRITER in message.to]
    assert any("Your first sale" in subject for subject in subjects)
    assert any("A new review" in subject for subject in subjects)

    build_finished_months(now=timezone.now() + MONTH)
    statement = Statement.objects.get()
    assert (statement.sales_krw, statement.fee_krw, statement.due_krw) == (9_900, 990, 8_910)
    assert not Payout.objects.exists()
    assert default_storage.exists(Prompt.objects.get().image_urls[0].removeprefix("/media/"))
    assert storages["private"].exists(Prompt.objects.get().file_url.removeprefix("private://"))
