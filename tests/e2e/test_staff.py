"""Staff in a real browser: the pages around applications fit a phone, and many are decided from the list."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone, translation
from playwright.sync_api import expect

from sellers.admin.forms import READY_REASONS
from sellers.models import SellerApplication
from sellers.onboarding import add_note, ask_applicant
from tests.factories import make_application, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "/admin/sellers/sellerapplication/"
REASON = "작업물을 확인할 수 없었어요."


@pytest.fixture
def decider():
    return make_staff("waitlist staff", email="decider@example.com")


@pytest.fixture
def waiting(decider) -> list[SellerApplication]:
    """Three that wait, the first with a long name, a long address and a history."""
    now = timezone.now()
    first = make_application(
        name="이름이 아주 길어서 한 줄에 다 들어가지 않는 신청자" * 2,
        email=f"{'long.' * 12}address@example.com",
        portfolio_url=f"https://example.com/{'a' * 200}",
        now=now - timedelta(days=9),
    )
    ask_applicant(application=first, staff=decider, question="예시를 보여 주시겠어요?", now=now)
    add_note(application=first, staff=decider, text="준에게 물어보기", now=now)
    others = [make_application(name=name, now=now - timedelta(days=days)) for name, days in (("하나", 2), ("두리", 1))]
    return [first, *others]


def fits(page) -> bool:
    width, view = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return width <= view


@pytest.mark.parametrize("kind", ["phone", "page"])
def test_pages_of_applications_fit_and_break_no_policy(request, kind, sign_in, decider, waiting):
    page = request.getfixturevalue(kind)
    sign_in(page, decider)
    of_first = f"{QUEUE}{waiting[0].pk}/"

    for path in ("/admin/", QUEUE, f"{QUEUE}?status=all", f"{of_first}change/", f"{of_first}act/accept/"):
        assert page.goto(path).status == 200
        assert fits(page), path
        assert page.locator("h1").count() == 1


def test_many_are_declined_from_the_list_with_a_sentence_to_begin_with(phone, sign_in, decider, waiting):
    sign_in(phone, decider)
    phone.goto(QUEUE)
    for application in waiting[1:]:
        phone.check(f"input[name=_selected_action][value='{application.pk}']")
    phone.select_option("select[name=action]", "decline_chosen")
    phone.click("button[name=index]")

    phone.fill("textarea[name=text]", REASON)
    phone.click("button[name=ready][value=scope]")
    with translation.override("en"):  # what the applicants read
        sentence = str(READY_REASONS["scope"][1])
    expect(phone.locator("textarea[name=text]")).to_have_value(f"{REASON}\n\n{sentence}")
    phone.click("input[name=check]")
    expect(phone.locator(".act__letter")).to_contain_text(REASON)
    assert fits(phone)
    phone.click("input[name=confirm]")

    expect(phone.locator(".messagelist")).to_contain_text("하나, 두리")
    assert phone.url.endswith(QUEUE)
    assert set(SellerApplication.objects.filter(processed=True)) == set(waiting[1:])


def test_one_is_decided_without_javascript_and_the_next_one_opens(plain_page, sign_in, decider, waiting):
    sign_in(plain_page, decider)
    plain_page.goto(f"{QUEUE}{waiting[0].pk}/change/")
    plain_page.click(f"a[href$='{waiting[0].pk}/act/accept/']")
    plain_page.click("input[name=next]")

    expect(plain_page).to_have_url(re.compile(f"{QUEUE}{waiting[1].pk}/change/$"))
    assert SellerApplication.objects.get(pk=waiting[0].pk).case.status == "accepted"
