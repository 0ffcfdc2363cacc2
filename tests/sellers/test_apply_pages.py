"""The page about selling: what it says, what the form takes, and that no answer tells who applied before."""

import re

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sellers.application_forms import MESSAGE_LENGTH
from sellers.categories import CATEGORIES, name_categories
from sellers.consents import APPLICATION
from sellers.models import SellerApplication, SellerMail
from sellers.onboarding import decline_application
from tests.catalog.pages import canonical, meta
from tests.factories import NOON, make_application, make_seller, make_user

pytestmark = pytest.mark.django_db

TYPED = {
    "name": "Mina Kim",
    "email": "mina@example.com",
    "portfolio_url": "https://example.com/work",
    "categories": ["writing", "data"],
    "message": "I write prompts.\nFor offices.",
    "consent": "on",
    "subject": "",
}


@pytest.fixture
def visitor() -> Client:
    return Client(headers={"accept-language": "en"})


@pytest.fixture
def no_limits(settings):
    settings.ACCOUNT_RATE_LIMITS = {}


def apply(client, **fields):
    return client.post("/sell/", {**TYPED, **fields})


def errors(response) -> dict[str, list[str]]:
    return {name: list(texts) for name, texts in response.context["form"].errors.items()}


def in_main(response) -> str:
    """The page without what differs from visitor to visitor."""
    return re.sub(r'value="[A-Za-z0-9]{64}"', "", response.text.partition("<main")[2].partition("</main>")[0])


# --- The page


@pytest.mark.parametrize(
    ("fee_bp", "percent", "fee", "payout"), [(1000, "10%", "₩1,000", "₩9,000"), (1255, "12.55%", "₩1,255", "₩8,745")]
)
def test_it_says_what_selling_costs_by_the_fee_that_is_set(visitor, settings, fee_bp, percent, fee, payout):
    settings.PLATFORM_FEE_BP = fee_bp

    page = visitor.get("/sell/").text

    assert f"Of each sale we keep {percent}" in page
    assert f"−{fee}" in page
    assert payout in page


def test_search_engines_find_it_under_one_address(visitor):
    page = visitor.get("/sell/?ref=x")

    assert canonical(page) == "http://localhost:8000/sell/"
    assert meta(page, "robots") == ""
    assert meta(page, "description").startswith("Put your prompts up for sale")


def test_the_footer_of_every_page_leads_there(visitor):
    assert '<a href="/sell/">' in visitor.get("/terms/").text


def test_the_consent_is_not_ticked_and_says_purpose_and_time(visitor):
    page = visitor.get("/sell/").text

    [box] = re.findall(r"<input[^>]*name=\"consent\"[^>]*>", page)
    assert "checked" not in box
    assert "are kept to decide on my application and to answer me: until the decision and one year after it." in page
    assert 'href="/privacy/"' in page


def test_a_visitor_types_the_address_and_somebody_signed_in_finds_it(visitor, client):
    mina = make_user(email="mina@example.com")
    client.force_login(mina)

    assert 'name="email" value=' not in visitor.get("/sell/").text
    assert 'name="email" value="mina@example.com"' in client.get("/sell/").text

    mina.emailaddress_set.update(verified=False)
    assert 'name="email" value=' not in client.get("/sell/").text


@pytest.mark.parametrize("status", ["active", "suspended"])
def test_whoever_sells_already_is_led_to_the_studio(client, status):
    client.force_login(make_seller(status=status).user)

    assert [client.get("/sell/")["Location"], apply(client)["Location"]] == ["/studio/"] * 2
    assert SellerApplication.objects.count() == 0


# --- What is stored


def test_an_application_needs_no_account_and_ends_at_an_address_of_its_own(visitor, on_commit):
    answered = apply(visitor)
    page = visitor.get(answered["Location"])

    row = SellerApplication.objects.select_related("case").get()
    assert (answered.status_code, answered["Location"]) == (302, "/sell/applied/")
    assert page.status_code == 200
    assert "mailed you a link" in page.text
    assert (row.name, row.email, row.portfolio_url) == ("Mina Kim", "mina@example.com", "https://example.com/work")
    assert (row.categories, row.message) == (["writing", "data"], "I write prompts.\nFor offices.")
    assert (row.case.language, row.case.consent_version) == ("en", APPLICATION.version)
    assert row.case.consented_at == row.created_at
    assert [message.to for message in mail.outbox] == [["mina@example.com"]]


def test_what_is_typed_in_pieces_is_stored_composed(visitor):
    apply(visitor, name="  김  미나 ", message="줄\r\n하나\r둘 \n")

    row = SellerApplication.objects.get()
    assert (row.name, row.message) == ("김 미나", "줄\n하나\n둘")


def test_an_application_in_korean_is_answered_in_korean():
    apply(Client(headers={"accept-language": "ko"}))

    assert SellerApplication.objects.get().case.language == "ko"
    assert SellerMail.objects.get().language == "ko"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("", None),
        ("example.com/work", "https://example.com/work"),
        ("http://example.com", "http://example.com"),
        ("HTTPS://Example.com/작품", "HTTPS://Example.com/작품"),
        ("https://한국.example/", "https://한국.example/"),
    ],
)
def test_a_link_is_http_or_https_and_may_come_without(visitor, typed, stored):
    assert apply(visitor, portfolio_url=typed).status_code == 302

    assert SellerApplication.objects.get().portfolio_url == stored


# --- What is refused


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JavaScript://example.com/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "ftp://example.com/",
        "file:///etc/passwd",
        "mailto:mina@example.com",
        "//example.com/x",
        "https://google.com@evil.example/",
        "https://user:password@evil.example/",
        "https://evil.example\\@google.com/",
        "https://exa mple.com/",
        "https://example.com/\u202egpj.exe",
        "https://example.com/\x00",
        "https://example.com/\nx",
        "https://[::1/",
        "https://",
        "not a link",
        f"https://example.com/{'a' * 300}",
    ],
)
def test_other_links_are_refused_at_their_field(visitor, link):
    answered = apply(visitor, portfolio_url=link)

    assert answered.status_code == 422
    assert list(errors(answered)) == ["portfolio_url"]
    assert SellerApplication.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "a" * 81),
        ("name", "Mi\x00na"),
        ("name", "Mi\x1bna"),
        ("name", "Mi\u202ena"),
        ("name", "\u200b\u3164"),
        ("name", "..."),
        ("email", ""),
        ("email", "mina"),
        ("email", "mina@example.com\nBcc: all@example.com"),
        ("email", f"{'a' * 250}@example.com"),
        ("email", f"mina@{chr(0xFDFA) * 60}.com"),  # each of these letters stands for eighteen
        ("email", "mi\x00na@example.com"),
        ("categories", []),
        ("categories", ["nonsense"]),
        ("categories", ["writing", "<script>"]),
        ("message", ""),
        ("message", "a" * (MESSAGE_LENGTH + 1)),
        ("message", "NUL \x00 here"),
        ("message", "Bell \x07 here"),
        ("consent", ""),
    ],
)
def test_a_field_that_is_missing_too_long_or_strange_is_refused_and_everything_typed_stays(visitor, field, value):
    answered = apply(visitor, **{field: value})

    assert answered.status_code == 422
    assert list(errors(answered)) == [field]
    assert SellerApplication.objects.count() == SellerMail.objects.count() == 0
    page = answered.text
    assert "One thing to correct" in page
    kept = {
        "name": "Mina Kim",
        "email": "mina@example.com",
        "message": "I write prompts.",
        "portfolio_url": "https://example.com/work",
    }
    assert [words for name, words in kept.items() if name != field and words not in page] == []
    if field != "categories":
        assert re.search(r'value="data"[^>]*checked', page)
    if field != "consent":
        assert re.search(r'name="consent"[^>]*checked', page)


def test_the_summary_leads_to_the_list_of_categories(visitor):
    page = apply(visitor, categories=[]).text

    assert 'href="#id_categories"' in page
    assert 'id="id_categories"' in page


def test_a_message_of_the_full_length_with_many_lines_is_taken(visitor):
    message = "가\r\n" * (MESSAGE_LENGTH // 2)  # a browser sends two characters for each line break

    assert apply(visitor, message=message).status_code == 302


def test_a_name_in_any_script_is_taken(visitor, no_limits):
    for number, name in enumerate(["김미나", "مينا", "Ζωή", "1984 Books", "O’Neill-Kim"]):
        assert apply(visitor, name=name, email=f"mina{number}@example.com").status_code == 302


# --- Programs, and people in a hurry


def test_a_program_that_fills_in_everything_gets_the_same_answer_and_nothing_is_written(visitor):
    honest, program = apply(visitor), apply(Client(), email="bot@example.com", subject="Cheap pills")

    assert (honest.status_code, honest["Location"]) == (program.status_code, program["Location"])
    assert [row.email for row in SellerApplication.objects.all()] == ["mina@example.com"]


def test_the_trap_is_met_by_no_person(visitor):
    page = visitor.get("/sell/").text

    wrapper = page[: page.index('name="subject"')].rpartition('<div class="field--unused">')[1]
    [trap] = re.findall(r"<input[^>]*name=\"subject\"[^>]*>", page)
    assert wrapper  # display: none, so neither the tab key nor a screen reader comes there
    assert 'tabindex="-1"' in trap
    assert 'autocomplete="off"' in trap


def test_too_many_are_refused_with_everything_kept(visitor, settings):
    settings.ACCOUNT_RATE_LIMITS = {"sell_apply": "2/h/ip"}
    statuses = [apply(visitor, email=f"mina{number}@example.com").status_code for number in range(2)]

    answered = apply(visitor, email="mina3@example.com")

    assert statuses == [302, 302]
    assert (answered.status_code, answered["Retry-After"]) == (429, "3600")
    assert "Too many applications came from your connection." in answered.text
    assert 'value="mina3@example.com"' in answered.text
    assert re.search(r'value="data"[^>]*checked', answered.text)
    assert SellerApplication.objects.count() == 2


def test_mistakes_are_not_counted(visitor, settings):
    settings.ACCOUNT_RATE_LIMITS = {"sell_apply": "1/h/ip"}
    for _ in range(3):
        apply(visitor, name="")

    assert apply(visitor).status_code == 302


def test_the_form_is_taken_from_this_site_alone():
    strict = Client(enforce_csrf_checks=True)

    assert apply(strict).status_code == 403
    assert SellerApplication.objects.count() == 0


# --- Nobody learns who applied


def make_declined(email):
    application = make_application(email=email)
    decline_application(application=application, staff=make_user(), reason="Too little.", now=NOON)


def make_foreign(email):
    SellerApplication.objects.create(name="Mina", email=email, processed=True)


@pytest.mark.parametrize("make", [lambda email: make_application(email=email), make_declined, make_foreign])
@pytest.mark.parametrize("path", ["/sell/", "/sell/link/"])
def test_an_address_that_applied_is_answered_like_any_other(no_limits, time_machine, make, path):
    time_machine.move_to(NOON, tick=False)
    make("known@example.com")
    answers = []
    for address in ("KNOWN@example.com", "newly@example.com"):
        client = Client(headers={"accept-language": "en"})
        posted = client.post(path, {**TYPED, "email": address})
        page = client.get(posted["Location"])
        refused = client.post(path, {**TYPED, "email": address, "consent": "", "name": ""})
        answers.append(
            (
                posted.status_code,
                {name: value for name, value in posted.headers.items() if name != "Set-Cookie"},
                sorted(posted.cookies),
                in_main(page),
                refused.status_code,
                in_main(refused).replace(address, "") if path == "/sell/" else "",
            )
        )

    assert answers[0] == answers[1]


def test_every_answer_waits_for_a_write_so_that_none_comes_sooner(no_limits, visitor):
    """A commit takes longer than all else here. A new address, one that applied, and one mailed about it today."""
    written = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            apply(visitor)
        tables = [re.match(r'(?:INSERT INTO|UPDATE) "(\w+)"', query["sql"]) for query in queries]
        written.append({match[1] for match in tables if match} & {"seller_waitlist"})

    assert written == [{"seller_waitlist"}] * 3


# --- A fresh link


def test_the_link_is_mailed_to_whoever_applied(visitor, on_commit):
    make_application(email="mina@example.com")
    mail.outbox.clear()

    answered = visitor.post("/sell/link/", {"email": "Mina@Example.com"})

    assert (answered.status_code, answered["Location"]) == (302, "/sell/link/sent/")
    [message] = mail.outbox
    assert message.to == ["mina@example.com"]
    [path] = re.findall(r"http://localhost:8000(/sell/application/\S+)", message.body)
    assert visitor.get(path).status_code == 200


def test_nobody_else_is_mailed(visitor, on_commit):
    answered = visitor.post("/sell/link/", {"email": "juno@example.com"})

    assert answered["Location"] == "/sell/link/sent/"
    assert "on its way" in visitor.get("/sell/link/sent/").text
    assert mail.outbox == []


def test_no_address_is_asked_about_too_often_in_any_case_known_or_not(visitor):
    make_application(email="mina@example.com")

    for address in ("mina@example.com", "juno@example.com"):
        writings = [address, address.upper(), f" {address}", address.title()]
        statuses = [visitor.post("/sell/link/", {"email": writing}).status_code for writing in writings]
        assert statuses == [302, 302, 302, 429]


def test_what_is_no_address_is_refused_and_kept(visitor):
    answered = visitor.post("/sell/link/", {"email": "mina"})

    assert answered.status_code == 422
    assert 'value="mina"' in answered.text


# --- Categories


def test_every_category_has_a_name_and_other_programs_may_write_anything():
    assert name_categories(list(CATEGORIES)) == [str(label) for label in CATEGORIES.values()]
    assert name_categories(["번역", 3, None, {"a": 1}]) == ["번역", "3", "None", "{'a': 1}"]
    assert name_categories("text") == ["text"]
    assert name_categories({"a": 1}) == ["{'a': 1}"]
    assert [name_categories(value) for value in ([], None, "", {})] == [[], [], [], []]
