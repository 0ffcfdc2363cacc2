"""Accounts in a browser: codes by mail, passkeys, the second factor, without scripts and on a phone."""

import re
from urllib.parse import urlsplit

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

from accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "long-enough-1"


def add_authenticator(page):
    """A device that answers every question for a passkey at once; returns the protocol session."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    answer = devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return devtools, answer["authenticatorId"]


def sign_in(page, email, password=PASSWORD):
    page.goto("/accounts/login/")
    page.fill("[name=login]", email)
    page.fill("[name=password]", password)
    page.click("main button.button--primary")
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


def wait_for_path(page, path):
    page.wait_for_url(lambda url: urlsplit(url).path == path)


def confirm_password(page):
    page.fill("main [name=password]", PASSWORD)
    page.click("main button.button--primary")


def add_passkey(page):
    page.goto("/accounts/2fa/webauthn/add/")
    confirm_password(page)
    page.fill("[name=name]", "Laptop")
    page.click("#mfa_webauthn_add")
    wait_for_path(page, "/accounts/2fa/recovery-codes/")


def test_a_passkey_is_made_and_then_signs_in_alone(english_page):
    user = make_user(email="mina@example.com")
    page = english_page
    add_authenticator(page)
    sign_in(page, user.email)
    add_passkey(page)
    assert page.locator("#recovery_codes").input_value().split() != []
    page.goto("/accounts/2fa/webauthn/")
    assert "Laptop" in page.inner_text("main")

    page.context.clear_cookies()
    page.goto("/accounts/login/?next=/account/")
    page.click("#passkey_login")
    wait_for_path(page, "/account/")

    assert "mina@example.com" in page.inner_text("main")


def test_a_passkey_that_is_broken_off_says_so_and_leaves_the_other_ways(english_page):
    page = english_page
    devtools, device = add_authenticator(page)
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.goto("/accounts/login/")

    page.click("#passkey_login")

    page.wait_for_selector("#alerts .toast--error")
    assert page.inner_text("#alerts") == "The passkey was not used. Try again, or take another way."


def test_somebody_signs_up_with_a_passkey_and_no_password(english_page, read_code):
    page = english_page
    add_authenticator(page)
    page.goto("/accounts/signup/")
    page.click("text=Sign up with a passkey")
    page.fill("[name=email]", "mina@example.com")
    page.click("main button.button--primary")
    page.fill("[name=code]", read_code("mina@example.com"))
    page.click("main button.button--primary")
    page.click("#mfa_webauthn_signup")
    page.wait_for_url(lambda url: "/accounts/" not in url)

    page.goto("/account/")

    assert "None: you sign in with a passkey" in page.inner_text("main")
    assert not User.objects.get().has_usable_password()
    assert User.objects.get().profile


def test_a_passkey_answers_the_second_question_too(english_page):
    user = make_user(email="mina@example.com")
    page = english_page
    add_authenticator(page)
    sign_in(page, user.email)
    add_passkey(page)
    page.context.clear_cookies()

    page.goto("/accounts/login/?next=/account/")
    page.fill("[name=login]", user.email)
    page.fill("[name=password]", PASSWORD)
    page.click("main button.button--primary")
    page.click("#mfa_webauthn_authenticate")
    wait_for_path(page, "/account/")

    assert "mina@example.com" in page.inner_text("main")


def test_an_app_is_set_up_by_its_square(page):
    user = make_user(email="mina@example.com")
    sign_in(page, user.email)
    page.goto("/accounts/2fa/totp/activate/")
    confirm_password(page)
    secret = page.input_value("#authenticator_secret")
    assert page.evaluate("document.querySelector('.qr').naturalWidth") > 0

    page.fill("[name=code]", format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time()))))
    page.click("main button.button--primary")
    wait_for_path(page, "/accounts/2fa/recovery-codes/")

    assert user.authenticator_set.count() == 2


def test_everything_but_passkeys_works_without_scripts(plain_page, read_code, tmp_path):
    page = plain_page
    page.goto("/accounts/signup/?next=/account/")
    assert not page.is_visible("text=패스키로 가입")
    page.fill("[name=email]", "Mina@Example.com")
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    page.click("main button.button--primary")
    page.fill("[name=code]", "BBBB-BBBB")
    page.click("main button.button--primary")
    assert "코드가 맞지 않아요" in page.inner_text("main")
    page.fill("[name=code]", read_code("mina@example.com"))
    page.click("main button.button--primary")
    assert page.url.endswith("/account/")

    page.goto("/account/profile/")
    page.fill("[name=nickname]", "미나")
    page.click("text=닉네임 저장")
    assert "프로필을 저장했어요" in page.inner_text("body")
    page.set_input_files("[name=avatar]", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"nonsense"})
    page.click("text=이 사진 쓰기")
    assert "읽을 수 있는 이미지가 아니에요" in page.inner_text("main")

    page.goto("/account/export/")
    confirm_password(page)
    with page.expect_download() as download:
        page.click("main button.button--primary")
    assert re.fullmatch(r"my-data-\d{4}-\d\d-\d\d\.json", download.value.suggested_filename)

    page.goto("/account/delete/")
    page.click("text=탈퇴 계속하기")
    page.fill("[name=word]", "삭제")
    page.click("main button.button--danger")
    assert "탈퇴했어요" in page.inner_text("main")
    assert User.objects.get().deleted_at


def test_a_double_click_sends_a_form_once(page, read_code):
    """Two posts would be two codes, and the second answer a page about too many requests."""
    page.goto("/accounts/signup/")
    page.fill("[name=email]", "mina@example.com")
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    posts = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)

    page.evaluate(
        """() => {
            const button = document.querySelector("main button.button--primary");
            button.click();
            setTimeout(() => button.click(), 30);
        }"""
    )
    wait_for_path(page, "/accounts/confirm-email/")

    assert len(posts) == 1
    page.fill("[name=code]", read_code("mina@example.com"))
    page.click("main button.button--primary")
    wait_for_path(page, "/")


def test_a_download_can_be_asked_for_again(page):
    user = make_user(email="mina@example.com")
    sign_in(page, user.email)
    page.goto("/account/export/")
    confirm_password(page)
    wait_for_path(page, "/account/export/")

    for _ in range(2):
        with page.expect_download():
            page.click("main button.button--primary")
        page.wait_for_selector("main form:not([data-sent])", timeout=8_000)


PUBLIC = ["/accounts/login/", "/accounts/signup/", "/accounts/signup/passkey/", "/accounts/password/reset/"]
PRIVATE = [
    "/account/",
    "/account/profile/",
    "/account/delete/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/sessions/",
    "/account/export/",
    "/account/delete/confirm/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/add/",
]


@pytest.mark.parametrize("browser_page", ["page", "phone"])
def test_no_page_of_accounts_has_a_barrier_or_runs_off_the_screen(browser_page, request, check_accessibility):
    """Light and wide, dark and narrow; the wrong input too."""
    page = request.getfixturevalue(browser_page)
    user = make_user(email="mina@example.com", nickname="미나")

    def check(path):
        page.goto(path)
        check_here()

    def check_here():
        check_accessibility(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url

    for path in [*PUBLIC, f"/people/{user.handle}/"]:
        check(path)
    page.goto("/accounts/login/")
    page.fill("[name=login]", "nobody@example.com")
    page.fill("[name=password]", "wrong-password")
    page.click("main button.button--primary")
    page.wait_for_selector("main [role=alert]")
    check_here()
    sign_in(page, user.email)
    for path in PRIVATE:
        page.goto(path)
        if "/reauthenticate/" in page.url:
            check_here()
            confirm_password(page)
            wait_for_path(page, path)
        check_here()
