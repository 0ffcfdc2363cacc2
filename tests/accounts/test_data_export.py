import json
from datetime import timedelta

import pytest

from accounts.data_views import _applications_of, _export_application
from catalog.models import PromptVersion
from checkout.models import AccessEvent, CartItem, Purchase
from checkout.presets import save_preset
from sellers.models import SellerApplication
from sellers.onboarding import add_note, decline_application
from tests.factories import (
    NOON,
    make_application,
    make_business,
    make_prompt,
    make_purchase,
    make_refund,
    make_report,
    make_review,
    make_seller,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mina():
    return make_user(email="mina@example.com", nickname="Mina")


@pytest.fixture
def signed_in(visitor, sign_in, mina):
    sign_in(visitor, mina)
    return visitor


def download(client) -> dict:
    answered = client.post("/account/export/")
    assert answered.status_code == 200
    return json.loads(answered.content)


def test_the_password_is_asked_first(signed_in, confirm_password):
    asked, posted = signed_in.get("/account/export/"), signed_in.post("/account/export/")
    page = confirm_password(signed_in, "/account/export/")

    assert asked["Location"] == "/accounts/reauthenticate/?next=%2Faccount%2Fexport%2F"
    assert posted["Location"] == "/account/export/"
    assert "Download the file" in page.text


def test_five_minutes_later_the_password_is_asked_again(signed_in, confirm_password, time_machine):
    time_machine.move_to(NOON, tick=False)
    confirm_password(signed_in, "/account/export/")

    time_machine.move_to(NOON + timedelta(minutes=5, seconds=1), tick=False)

    assert signed_in.get("/account/export/").status_code == 302


def test_the_file_is_a_download_that_nothing_keeps(signed_in, confirm_password, time_machine):
    time_machine.move_to(NOON, tick=False)
    confirm_password(signed_in, "/account/export/")

    answered = signed_in.post("/account/export/")

    assert answered["Content-Type"] == "application/json; charset=utf-8"
    assert answered["Content-Disposition"] == 'attachment; filename="my-data-2026-11-22.json"'
    assert "no-store" in answered["Cache-Control"]


def test_everything_about_the_person_is_in_it(signed_in, confirm_password, mina):
    tea, ink = make_prompt(title="차 이름", slug="tea", price=5_000), make_prompt(title="Ink", slug="ink")
    CartItem.objects.create(user=mina, prompt=ink, created_at=NOON)
    bought = make_purchase(buyer=mina, prompt=tea, is_open=True)
    order, payment = bought.order_line.order, bought.order_line.order.payments.get()
    AccessEvent.objects.create(entitlement=bought, kind="read", at=NOON + timedelta(minutes=5))
    make_refund(order=order, reason="staff", note="Sorry.")
    make_review(prompt=tea, author=mina, rating=4, body="Good leaves.", created_at=NOON, updated_at=NOON)
    seller = make_seller(user=mina, name="Mina Shop", slug="mina-shop", bio="Tea.")
    make_business(seller=seller)
    make_prompt(
        title="Tea letters",
        description="Warm.",
        price=3_000,
        tags=["tea"],
        prompt_text="Write to {{guest}}.",
        seller=seller,
        state="withdrawn",
        listing={"state_reason": "A pause.", "created_at": NOON, "updated_at": NOON, "model": "GPT-5"},
    )
    PromptVersion.objects.filter(title="Tea letters").update(created_at=NOON)
    SellerApplication.objects.create(
        name="Mina Kim", email="MINA@example.com", categories=["차"], message="Hello.", created_at=NOON
    )
    confirm_password(signed_in, "/account/export/")

    data = download(signed_in)

    refund = {
        "prompts": ["차 이름"],
        "note": "Sorry.",
        "amount_krw": 5_000,
        "reason": "staff",
        "status": "requested",
        "requested_at": "2026-11-22T12:00:00Z",
        "done_at": None,
    }
    assert data["account"]["email"] == "mina@example.com"
    assert data["account"]["public_handle"] == mina.handle
    assert data["email_addresses"] == [{"email": "mina@example.com", "verified": True, "primary": True}]
    assert data["profile"]["nickname"] == "Mina"
    assert data["cart"] == [{"prompt": "Ink", "added_at": "2026-11-22T12:00:00Z"}]
    assert [(row["number"], row["status"], row["total_krw"], row["lines"]) for row in data["orders"]] == [
        (order.number, "paid", 5_000, [{"prompt": "차 이름", "price_krw": 5_000}])
    ]
    assert data["orders"][0]["refunds"] == [refund]
    assert [mail["about"] for mail in data["orders"][0]["mails"]] == ["receipt"]
    assert [(row["provider"], row["amount_krw"], row["status"]) for row in data["orders"][0]["payments"]] == [
        (payment.provider, 5_000, "paid")
    ]
    assert data["purchases"] == [
        {
            "prompt": "차 이름",
            "bought_at": "2026-11-22T12:00:00Z",
            "payment_order_id": order.number,
            "opened_at": "2026-11-22T12:00:00Z",
            "taken_back_at": "2026-11-22T12:00:00Z",
            "accesses": [
                {"what": "opened", "at": "2026-11-22T12:00:00Z"},
                {"what": "read", "at": "2026-11-22T12:05:00Z"},
            ],
        }
    ]
    assert [(review["prompt"], review["rating"], review["body"]) for review in data["reviews"]] == [
        ("차 이름", 4, "Good leaves.")
    ]
    assert data["reports"] == []
    assert data["seller"] == [
        {
            "name": "Mina Shop",
            "about": "Tea.",
            "website": "",
            "address": "mina-shop",
            "language": "ko",
            "business": {
                "trade_name": "Paper Desk",
                "representative": "Kim",
                "registration_number": "123-45-67891",
                "report_number": "2026-Seoul-0001",
                "report_exemption": "",
                "address": "1 Example-ro, Seoul",
                "phone": "02-000-0000",
                "email": "desk@example.com",
            },
            "listings": [
                {
                    "title": "Tea letters",
                    "description": "Warm.",
                    "price_krw": 3_000,
                    "tags": ["tea"],
                    "model": "GPT-5",
                    "output": "text",
                    "language": "ko",
                    "state": "withdrawn",
                    "state_reason": "A pause.",
                    "pictures": [],
                    "picture_descriptions": {},
                    "created_at": "2026-11-22T12:00:00Z",
                    "published_at": "2026-11-22T12:00:00Z",
                    "updated_at": "2026-11-22T12:00:00Z",
                    "versions": [
                        {
                            "number": 1,
                            "title": "Tea letters",
                            "prompt_text": "Write to {{guest}}.",
                            "note": "",
                            "saved_at": "2026-11-22T12:00:00Z",
                        }
                    ],
                }
            ],
        }
    ]
    assert data["seller_applications"] == [
        {
            "name": "Mina Kim",
            "email": "MINA@example.com",
            "portfolio_url": None,
            "categories": ["차"],
            "message": "Hello.",
            "applied_at": "2026-11-22T12:00:00Z",
            "processed": False,
            "status": "received",
            "reason": "",
            "decided_at": None,
            "consented_at": None,
            "consent_version": "",
            "history": [],
            "mails": [],
        }
    ]
    assert [session["ip_address"] for session in data["sessions"]] == ["127.0.0.1"]


def test_no_secret_and_no_bought_text_is_in_it(signed_in, confirm_password, mina):
    prompt = make_prompt(prompt_text="the text one pays for", file_url="private://a.zip")
    Purchase.objects.create(buyer=mina, prompt=prompt, payment_order_id="order-1")
    confirm_password(signed_in, "/account/export/")

    text = json.dumps(download(signed_in))

    assert mina.password not in text
    assert "the text one pays for" not in text
    assert "private://a.zip" not in text
    assert signed_in.session.session_key not in text


def test_nothing_of_anybody_else_is_in_it(signed_in, confirm_password):
    other = make_user(email="juno@example.com", nickname="Juno")
    prompt = make_prompt(title="Of Juno")
    CartItem.objects.create(user=other, prompt=prompt)
    Purchase.objects.create(buyer=other, prompt=prompt, payment_order_id="order-2")
    make_review(prompt=prompt, author=other, body="By Juno.")
    SellerApplication.objects.create(name="Juno", email="juno@example.com")
    confirm_password(signed_in, "/account/export/")

    data = download(signed_in)

    assert "uno" not in json.dumps(data)
    assert (data["cart"], data["purchases"], data["reviews"], data["seller_applications"]) == ([], [], [], [])


def test_what_was_decided_about_an_application_is_in_it_and_nothing_that_staff_noted(signed_in, confirm_password):
    boss = make_user(email="boss@example.com", nickname="Boss", is_staff=True)
    application = make_application(email="Mina@example.com")
    add_note(application=application, staff=boss, text="Between us.", now=NOON)
    decline_application(application=application, staff=boss, reason="Too little.", now=NOON + timedelta(hours=1))
    confirm_password(signed_in, "/account/export/")

    data = download(signed_in)

    [exported] = data["seller_applications"]
    assert (exported["processed"], exported["status"], exported["reason"]) == (True, "declined", "Too little.")
    assert (exported["decided_at"], exported["consented_at"]) == ("2026-11-22T13:00:00Z", "2026-11-22T12:00:00Z")
    assert exported["history"] == [
        {"what": "received", "text": "", "at": "2026-11-22T12:00:00Z"},
        {"what": "declined", "text": "Too little.", "at": "2026-11-22T13:00:00Z"},
    ]
    assert [mail["about"] for mail in exported["mails"]] == ["application_received", "application_declined"]
    assert "Between us." not in json.dumps(data)
    assert "oss" not in json.dumps(data)


@pytest.mark.parametrize("count", [1, 4])
def test_applications_cost_the_same_however_many(mina, count, django_assert_num_queries):
    for _ in range(count):
        SellerApplication.objects.create(name="Mina", email="mina@example.com")

    with django_assert_num_queries(5):  # addresses, keys, applications, history, mails
        assert len([_export_application(row) for row in _applications_of(mina)]) == count


def test_an_address_that_was_never_confirmed_opens_nobodys_application(signed_in, confirm_password, mina):
    mina.emailaddress_set.create(email="juno@example.com", verified=False)
    SellerApplication.objects.create(name="Juno", email="juno@example.com")
    confirm_password(signed_in, "/account/export/")

    assert download(signed_in)["seller_applications"] == []


def test_reviews_come_with_their_replies_and_why_they_are_hidden_and_reports_with_their_end(
    signed_in, confirm_password, mina
):
    tea, ink = make_prompt(title="차 이름"), make_prompt(title="Ink")
    make_review(
        prompt=tea,
        author=mina,
        rating=1,
        body="Rude.",
        created_at=NOON,
        reply="Sorry.",
        replied_at=NOON + timedelta(days=1),
        hidden_at=NOON + timedelta(days=2),
        hidden_note="It insults somebody.",
    )
    make_report(prompt=ink, reporter=mina, reason="copied", note="From my book.")
    make_report(review=make_review(prompt=tea), reporter=mina, reason="abusive", outcome="dismissed", handled_at=NOON)
    make_report(prompt=ink)
    confirm_password(signed_in, "/account/export/")

    data = download(signed_in)

    assert data["reviews"] == [
        {
            "prompt": "차 이름",
            "rating": 1,
            "body": "Rude.",
            "model_used": "",
            "written_at": "2026-11-22T12:00:00Z",
            "updated_at": "2026-11-22T12:00:00Z",
            "reply_of_the_seller": "Sorry.",
            "replied_at": "2026-11-23T12:00:00Z",
            "hidden_at": "2026-11-24T12:00:00Z",
            "hidden_because": "staff",
            "hidden_note": "It insults somebody.",
        }
    ]
    assert [
        (each["about"], each["prompt"], each["reason"], each["note"], each["outcome"]) for each in data["reports"]
    ] == [
        ("prompt", "Ink", "copied", "From my book.", ""),
        ("review", "차 이름", "abusive", "", "dismissed"),
    ]


def test_the_file_holds_ones_own_presets(signed_in, confirm_password, mina):
    prompt = make_prompt(title="편지")
    right = make_purchase(buyer=mina, prompt=prompt, is_open=True)
    save_preset(entitlement=right, name="봄", values={"손님": "한"}, now=NOON)
    other = make_purchase(buyer=make_user(), prompt=prompt, is_open=True)
    save_preset(entitlement=other, name="여름", values={"손님": "둘"}, now=NOON)
    confirm_password(signed_in, "/account/export/")

    saved_at = "2026-11-22T12:00:00Z"
    assert download(signed_in)["presets"] == [
        {"prompt": "편지", "name": "봄", "values": {"손님": "한"}, "saved_at": saved_at}
    ]
