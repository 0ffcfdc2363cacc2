from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.test import Client
from django.utils import timezone, translation

from accounts.templatetags.accounts_tags import browser_name
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def show_code(secret: str) -> str:
    """What the authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


@pytest.fixture
def mina():
    return make_user(email="mina@example.com")


@pytest.fixture
def guarded(visitor, sign_in, confirm_password, mina):
    """Mina's browser after setting up an app; `.secret` is the app's key."""
    sign_in(visitor, mina)
    page = confirm_password(visitor, "/accounts/2fa/totp/activate/")
    visitor.secret = page.context["form"].secret
    answered = visitor.post("/accounts/2fa/totp/activate/", {"code": show_code(visitor.secret)})
    assert answered.status_code == 302
    return visitor


def enter_password(client, mina, **data):
    return client.post("/accounts/login/", {"login": mina.email, "password": "long-enough-1", **data})


def test_setting_up_asks_for_the_password_and_shows_a_square_and_its_key(visitor, sign_in, confirm_password, mina):
    sign_in(visitor, mina)

    asked = visitor.get("/accounts/2fa/totp/activate/")
    page = confirm_password(visitor, "/accounts/2fa/totp/activate/")

    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert 'src="data:image/svg+xml' in page.text
    assert page.context["form"].secret in page.text


def test_a_wrong_code_switches_nothing_on(visitor, sign_in, confirm_password, mina):
    sign_in(visitor, mina)
    confirm_password(visitor, "/accounts/2fa/totp/activate/")

    answered = visitor.post("/accounts/2fa/totp/activate/", {"code": "000000"})

    assert "This code is not right." in answered.text
    assert mina.authenticator_set.count() == 0


def test_with_an_app_the_password_alone_signs_nobody_in(guarded, mina):
    other = Client(headers={"accept-language": "en"})

    answered = enter_password(other, mina, next="/library/")

    assert answered["Location"] == "/accounts/2fa/authenticate/"
    assert other.get("/account/").status_code == 302


def test_the_code_of_the_app_finishes_signing_in_and_keeps_the_way_back(guarded, mina, time_machine):
    other = Client(headers={"accept-language": "en"})
    enter_password(other, mina, next="/library/")

    wrong = other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    time_machine.move_to(
        timezone.now() + timedelta(minutes=1)
    )  # a code is taken once, and setting up used the one of this half minute
    right = other.post("/accounts/2fa/authenticate/", {"code": show_code(guarded.secret)})

    assert "This code is not right." in wrong.text
    assert right["Location"] == "/library/"
    assert other.get("/account/").status_code == 200


def test_a_recovery_code_signs_in_once(guarded, mina):
    codes = guarded.get("/accounts/2fa/recovery-codes/").context["unused_codes"]
    answers = []
    for _ in range(2):
        other = Client(headers={"accept-language": "en"})
        enter_password(other, mina)
        answers.append(other.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code)

    assert len(codes) == 10
    assert answers == [302, 200]


def test_recovery_codes_can_be_downloaded_and_made_anew(guarded):
    before = guarded.get("/accounts/2fa/recovery-codes/download/")
    made = guarded.post("/accounts/2fa/recovery-codes/generate/")
    after = guarded.get("/accounts/2fa/recovery-codes/download/")

    assert before["Content-Disposition"].startswith("attachment")
    assert made.status_code == 302
    assert set(before.text.split()).isdisjoint(after.text.split())


def test_the_address_can_be_changed_with_an_app_as_well(guarded, mina, read_code):
    guarded.post("/accounts/email/", {"action_add": "", "email": "new@example.com"})
    guarded.post("/accounts/confirm-email/", {"code": read_code("new@example.com")})

    mina.refresh_from_db()
    assert mina.email == "new@example.com"


def test_switching_the_app_off_is_told_by_mail(guarded, mina):
    answered = guarded.post("/accounts/2fa/totp/deactivate/")

    assert answered.status_code == 302
    assert mina.authenticator_set.count() == 0
    assert [message.subject for message in mail.outbox][-1] == "[Promptjang] The authenticator app was switched off"
    assert enter_password(Client(), mina)["Location"] == "/"


def test_a_stranger_can_neither_rename_nor_remove_my_passkey(visitor, sign_in, confirm_password, mina):
    key = Authenticator.objects.create(user=mina, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop"})
    sign_in(visitor, make_user())
    confirm_password(visitor, "/accounts/2fa/")

    answers = [
        visitor.post(f"/accounts/2fa/webauthn/keys/{key.pk}/{verb}/", {"name": "x"}) for verb in ("edit", "remove")
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    key.refresh_from_db()
    assert key.data["name"] == "Laptop"


def test_the_five_wrong_codes_that_are_allowed_stop_a_sixth(guarded, mina, time_machine):
    other = Client(headers={"accept-language": "en"})
    enter_password(other, mina)
    for _ in range(5):
        other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    time_machine.move_to(timezone.now() + timedelta(minutes=1))

    answered = other.post("/accounts/2fa/authenticate/", {"code": show_code(guarded.secret)})

    assert "Too many attempts." in answered.text
    assert other.get("/account/").status_code == 302


def test_sessions_are_listed_by_browser_and_the_others_can_be_ended(visitor, sign_in, mina):
    phone = Client(headers={"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/605.1"})
    sign_in(phone, mina)
    sign_in(visitor, mina)

    page = visitor.get("/accounts/sessions/")
    answered = visitor.post("/accounts/sessions/")

    assert "Safari · iPhone" in page.text
    assert "this one" in page.text
    assert answered.status_code == 302
    assert visitor.get("/account/").status_code == 200
    assert phone.get("/account/").status_code == 302


def test_a_stranger_sees_only_their_own_sessions(visitor, sign_in, mina):
    phone = Client(headers={"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/605.1"})
    sign_in(phone, mina)
    sign_in(visitor, make_user())

    assert "iPhone" not in visitor.get("/accounts/sessions/").text


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0", "Edge · Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/605 Version/19.0 Safari/605", "Safari · macOS"),
        ("Mozilla/5.0 (Linux; Android 17) AppleWebKit/537 Chrome/156.0 Mobile Safari/537", "Chrome · Android"),
        ("Mozilla/5.0 (Linux; Android 17) SamsungBrowser/30.0 Chrome/150.0", "Samsung Internet · Android"),
        ("curl/8.0", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_browsers_have_names(user_agent, name):
    with translation.override("en"):
        assert browser_name(user_agent) == name
