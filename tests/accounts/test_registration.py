import re

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils.html import escape

from accounts.forms import SignupForm
from accounts.models import Profile, User
from accounts.profiles import ensure_profile
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PASSWORDS = {"password1": "long-enough-1", "password2": "long-enough-1"}


def sign_up(client, email="mina@example.com", **data):
    return client.post("/accounts/signup/", {"email": email, **PASSWORDS, **data})


def enter_code(client, code):
    return client.post("/accounts/confirm-email/", {"code": code})


def test_a_new_person_confirms_the_mailed_code_and_is_signed_in(visitor, read_code):
    asked = sign_up(visitor)
    page = visitor.get(asked["Location"])
    answered = enter_code(visitor, read_code("mina@example.com"))

    assert asked["Location"] == "/accounts/confirm-email/"
    assert "mina@example.com" in page.text
    assert "<title>Enter the code · Promptjang</title>" in page.text
    assert (answered.status_code, answered["Location"]) == (302, "/")
    user = User.objects.get()
    assert user.emailaddress_set.get().verified
    assert visitor.session["_auth_user_id"] == str(user.pk)


def test_the_code_may_be_typed_small_and_without_the_hyphen(visitor, read_code):
    sign_up(visitor)

    answered = enter_code(visitor, read_code("mina@example.com").replace("-", " ").lower())

    assert answered.status_code == 302


def test_nobody_is_signed_in_before_the_code(visitor):
    sign_up(visitor)

    assert visitor.get("/account/").status_code == 302
    assert "_auth_user_id" not in visitor.session


def test_a_wrong_code_is_refused_in_words_and_the_fifth_ends_the_attempt(visitor, read_code):
    sign_up(visitor)
    code = read_code("mina@example.com")

    answers = [enter_code(visitor, "BBBB-BBBB") for _ in range(5)]
    late = enter_code(visitor, code)

    assert "This code is not right." in answers[0].text
    assert answers[4].status_code == 302
    assert late["Location"].startswith("/accounts/login/")
    assert not User.objects.get().emailaddress_set.get().verified


def test_another_code_can_be_asked_for_and_the_first_one_is_then_worthless(visitor, read_code, settings):
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": None}
    sign_up(visitor)
    first = read_code("mina@example.com")

    visitor.post("/accounts/confirm-email/", {"action": "resend"})

    second = read_code("mina@example.com")
    assert first != second
    assert enter_code(visitor, first).status_code == 200
    assert enter_code(visitor, second).status_code == 302


def test_the_way_back_survives_signing_up_and_the_code(visitor, read_code):
    page = visitor.get("/accounts/login/?next=/checkout/%3Fbuy%3Dx")
    link = re.findall(r'href="(/accounts/signup/[^"]*)"', page.text.partition("<main")[2])[0]
    form = visitor.get(link)
    assert 'name="next" value="/checkout/?buy=x"' in form.text

    sign_up(visitor, next="/checkout/?buy=x")
    answered = enter_code(visitor, read_code("mina@example.com"))

    assert answered["Location"] == "/checkout/?buy=x"


def test_a_way_back_to_another_site_is_dropped(visitor, read_code):
    sign_up(visitor, next="https://evil.example/")

    assert enter_code(visitor, read_code("mina@example.com"))["Location"] == "/"


def test_the_address_is_stored_in_lower_case(visitor):
    sign_up(visitor, "Mina@Example.COM")

    assert User.objects.get().email == "mina@example.com"
    assert User.objects.get().emailaddress_set.get().email == "mina@example.com"


def test_a_known_address_in_any_case_gets_the_same_answer_and_another_mail(visitor):
    make_user(email="mina@example.com")
    stranger = Client(headers={"accept-language": "en"})

    known = sign_up(visitor, "MINA@example.com")
    unknown = sign_up(stranger, "juno@example.com")
    pages = [client.get("/accounts/confirm-email/").text for client in (visitor, stranger)]

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    same = [re.sub(r"mina@|MINA@|juno@|value=\"[A-Za-z0-9]{64}\"|: \"[A-Za-z0-9]{64}\"", "", page) for page in pages]
    assert same[0] == same[1]
    assert User.objects.filter(email="mina@example.com").count() == 1
    assert [message.subject for message in mail.outbox] == [
        "[Promptjang] You have an account already",
        "[Promptjang] Your code",
    ]


def test_the_loser_of_two_posts_at_the_same_moment_is_answered_too(visitor, monkeypatch):
    """The other post has made the account between this one's check and its insert."""
    make_user(email="mina@example.com")
    monkeypatch.setattr(SignupForm, "validate_unique_email", lambda self, email: email)

    answered = sign_up(visitor)

    assert (answered.status_code, answered["Location"]) == (302, "/accounts/confirm-email/")
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "Take at least 10 characters."),
        ("4815162342", "Digits alone are guessed quickly."),
        ("basketball1", "Too many people use this password."),
        ("mina@example", "This is too close to your e-mail address."),
    ],
)
def test_a_weak_password_is_refused_in_words(visitor, password, words):
    answered = sign_up(visitor, password1=password, password2=password)

    assert words in answered.text
    assert User.objects.count() == 0


def test_two_different_passwords_are_refused(visitor):
    answered = sign_up(visitor, password2="something-else-2")

    assert list(answered.context["form"].errors) == ["password2"]
    assert User.objects.count() == 0


def test_signing_up_makes_a_profile(visitor):
    sign_up(visitor)

    assert User.objects.get().profile.nickname is None


def test_every_way_to_make_an_account_makes_its_profile(monkeypatch):
    made = User.objects.create_user("Mina@Example.com", "long-enough-1")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "long-enough-1")
    call_command("createsuperuser", "--noinput", email="Boss@Example.com", verbosity=0)

    assert set(Profile.objects.values_list("user__email", flat=True)) == {"mina@example.com", "boss@example.com"}
    assert made.email == "mina@example.com"


def test_a_profile_is_made_once_and_an_old_account_gets_its_own():
    user = make_user(nickname="Mina")
    assert ensure_profile(user).nickname == "Mina"
    Profile.objects.all().delete()

    first, second = ensure_profile(user), ensure_profile(user)

    assert first == second
    assert Profile.objects.count() == 1


def test_an_account_needs_an_address():
    with pytest.raises(ValueError, match="e-mail"):
        User.objects.create_user("")


def test_the_same_address_in_another_case_is_the_same_account():
    make_user(email="mina@example.com")

    with pytest.raises(IntegrityError), transaction.atomic():
        User(email="MINA@example.com").save()
    assert get_user_model().objects.get_by_natural_key("MINA@EXAMPLE.COM").email == "mina@example.com"


def test_a_superuser_of_the_command_signs_in_like_everybody(visitor, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "long-enough-1")
    call_command("createsuperuser", "--noinput", email="boss@example.com", verbosity=0)

    answered = visitor.post(
        "/accounts/login/", {"login": "boss@example.com", "password": "long-enough-1", "next": "/admin/"}
    )

    assert (answered.status_code, answered["Location"]) == (302, "/admin/")
    assert visitor.get("/admin/").status_code == 200


def test_a_mail_server_that_is_down_costs_the_mail_and_not_the_page(visitor, settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", 1

    sign_up(visitor)
    page = visitor.get("/accounts/confirm-email/")

    assert page.status_code == 200
    assert "We could not send the mail." in page.text
    assert "Send a new code" in page.text
    assert [record.message for record in caplog.records] == [
        "mail not sent template=account/email/email_confirmation_signup error=ConnectionRefusedError"
    ]


def test_mails_name_the_site_and_speak_the_language_of_the_page():
    korean = Client(headers={"accept-language": "ko"})
    sign_up(korean)

    [message] = mail.outbox
    assert message.subject.startswith("[프롬프트장] ")
    assert "http://localhost:8000" in message.body
    assert "!" not in message.subject + message.body


def test_a_mail_says_the_same_as_text_and_as_html(visitor, read_code):
    sign_up(visitor)

    [message] = mail.outbox
    [html] = [part.content for part in message.alternatives]
    code = read_code("mina@example.com")
    assert html.count(code) == 1
    assert "letter-spacing" in html.partition(code)[0].rpartition("<p")[2]  # the code is set large
    words = " ".join(re.sub(r"<[^>]+>", " ", html.partition("<body")[2]).split())
    for paragraph in message.body.partition("\n--\n")[0].split("\n\n"):
        assert escape(" ".join(paragraph.split())) in words
    assert html.startswith("<!doctype html>")
    assert '<html lang="en">' in html


def test_an_address_in_a_mail_is_a_link_in_its_html(visitor):
    make_user(email="mina@example.com")
    sign_up(visitor)

    [html] = [part.content for part in mail.outbox[0].alternatives]
    assert '<a href="http://testserver/accounts/password/reset/"' in html
