import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.test import Client
from django.urls import get_resolver

from accounts.models import User
from tests.factories import make_prompt, make_user

pytestmark = pytest.mark.django_db

WORDS = "The e-mail address or the password is not right."


def try_password(client, email, password="wrong-password-1", **data):
    return client.post("/accounts/login/", {"login": email, "password": password, **data})


def test_a_person_signs_in_and_is_sent_where_they_wanted_to_go(visitor):
    user = make_user()

    answered = try_password(visitor, user.email, "long-enough-1", next="/library/")

    assert (answered.status_code, answered["Location"]) == (302, "/library/")
    assert [str(message) for message in get_messages(answered.wsgi_request)] == ["You are signed in."]


def test_the_address_is_taken_in_any_case_and_with_spaces_around(visitor):
    make_user(email="mina@example.com")

    assert try_password(visitor, " MINA@Example.com ", "long-enough-1").status_code == 302


def test_a_private_page_leads_to_signing_in_and_back(visitor):
    user = make_user()

    asked = visitor.get("/account/profile/")
    answered = try_password(visitor, user.email, "long-enough-1", next="/account/profile/")

    assert asked["Location"] == "/accounts/login/?next=/account/profile/"
    assert answered["Location"] == "/account/profile/"


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(visitor):
    user = make_user()

    answers = [try_password(visitor, user.email), try_password(visitor, "nobody@example.com")]

    assert [answer.context["form"].non_field_errors() for answer in answers] == [[WORDS], [WORDS]]


def test_a_switched_off_account_cannot_sign_in(visitor):
    user = make_user(is_active=False)

    answered = try_password(visitor, user.email, "long-enough-1")

    assert answered["Location"] == "/accounts/inactive/"
    assert "_auth_user_id" not in visitor.session
    assert "This account is switched off" in visitor.get("/accounts/inactive/").text


def test_switching_an_account_off_ends_its_sessions(visitor, sign_in):
    user = make_user()
    sign_in(visitor, user)

    User.objects.update(is_active=False)

    assert visitor.get("/account/")["Location"] == "/accounts/login/?next=/account/"


def test_an_unconfirmed_address_is_confirmed_first(visitor, read_code):
    user = make_user()
    user.emailaddress_set.update(verified=False)

    answered = try_password(visitor, user.email, "long-enough-1", next="/library/")
    confirmed = visitor.post("/accounts/confirm-email/", {"code": read_code(user.email)})

    assert answered["Location"] == "/accounts/confirm-email/"
    assert confirmed["Location"] == "/library/"


def test_the_sixth_wrong_password_for_an_address_is_not_even_tried(visitor):
    user = make_user()

    answers = [try_password(visitor, user.email) for _ in range(6)]
    right = try_password(visitor, user.email, "long-enough-1")

    assert [answer.context["form"].non_field_errors() for answer in answers[:5]] == [[WORDS]] * 5
    refused = ["Too many attempts. Wait five minutes and try again."]
    assert answers[5].context["form"].non_field_errors() == refused
    assert right.context["form"].non_field_errors() == refused


def test_a_made_up_port_in_the_host_header_buys_no_further_attempts(visitor):
    """The host is checked against ALLOWED_HOSTS, its port is not."""
    user = make_user()

    answers = [
        visitor.post("/accounts/login/", {"login": user.email, "password": "x"}, HTTP_HOST=f"testserver:{n}")
        for n in range(1, 7)
    ]

    assert "Too many attempts." in answers[5].text


def test_a_reset_password_lifts_the_block(visitor):
    user = make_user()
    for _ in range(6):
        try_password(visitor, user.email)
    visitor.post("/accounts/password/reset/", {"email": user.email})
    link = next(line for line in mail.outbox[-1].body.splitlines() if "/password/reset/key/" in line)
    form = visitor.get(link, follow=True)

    visitor.post(form.request["PATH_INFO"], {"password1": "brand-new-22", "password2": "brand-new-22"})

    assert try_password(visitor, user.email, "brand-new-22").status_code == 302


def test_too_many_posts_from_one_address_of_the_network_get_a_429_page_that_says_when_to_come_back(visitor):
    answers = [visitor.post("/accounts/password/reset/", {"email": f"p{n}@example.com"}) for n in range(21)]

    assert {answer.status_code for answer in answers[:20]} == {302}
    assert (answers[20].status_code, answers[20]["Retry-After"]) == (429, "60")
    assert "Too many requests" in answers[20].text


def test_the_cart_of_a_visitor_is_there_after_signing_in(visitor, sign_in):
    user, prompt = make_user(), make_prompt(slug="tea")
    visitor.post("/cart/add/tea/")

    sign_in(visitor, user)

    assert [item.prompt for item in user.cart_items.all()] == [prompt]


def test_the_cart_of_a_visitor_is_there_after_signing_up(visitor, read_code):
    prompt = make_prompt(slug="tea")
    visitor.post("/cart/add/tea/")

    visitor.post(
        "/accounts/signup/", {"email": "mina@example.com", "password1": "long-enough-1", "password2": "long-enough-1"}
    )
    visitor.post("/accounts/confirm-email/", {"code": read_code("mina@example.com")})

    assert [item.prompt for item in User.objects.get(email="mina@example.com").cart_items.all()] == [prompt]


def test_whoever_breaks_off_at_the_code_keeps_the_cart(visitor):
    make_prompt(slug="tea", title="Tea master")
    visitor.post("/cart/add/tea/")
    visitor.post(
        "/accounts/signup/", {"email": "mina@example.com", "password1": "long-enough-1", "password2": "long-enough-1"}
    )

    left = visitor.post("/accounts/logout/", {"next": "/accounts/login/"})

    assert left["Location"] == "/accounts/login/"
    assert visitor.get("/accounts/login/").status_code == 200
    assert "Tea master" in visitor.get("/cart/").text


def test_signing_in_changes_the_session_key_and_signing_out_ends_the_session(visitor, sign_in):
    user = make_user()
    make_prompt(slug="tea")
    visitor.post("/cart/add/tea/")
    before = visitor.session.session_key

    sign_in(visitor, user)
    during = visitor.session.session_key
    left = visitor.post("/accounts/logout/")

    assert before != during
    assert left["Location"] == "/"
    assert [str(message) for message in get_messages(left.wsgi_request)][-1] == "You are signed out."
    assert visitor.get("/account/").status_code == 302


def test_signing_out_takes_a_post(visitor, sign_in):
    sign_in(visitor, make_user())

    page = visitor.get("/accounts/logout/")

    assert page.status_code == 200
    assert visitor.get("/account/").status_code == 200


def test_the_admin_has_no_login_of_its_own(visitor):
    staff = make_user(is_staff=True)

    page = visitor.get("/admin/login/?next=/admin/")
    posted = visitor.post("/admin/login/", {"username": staff.email, "password": "long-enough-1"})

    assert page["Location"] == "/accounts/login/?next=%2Fadmin%2F"
    assert posted["Location"].startswith("/accounts/login/?next=")
    assert "_auth_user_id" not in visitor.session


def test_wrong_passwords_for_the_admin_count_like_all_others(visitor):
    staff = make_user(is_staff=True)

    for _ in range(5):
        try_password(visitor, staff.email, next="/admin/")
    right = try_password(visitor, staff.email, "long-enough-1", next="/admin/")

    assert right.status_code == 200
    assert visitor.get("/admin/").status_code == 302


def test_the_admin_is_forbidden_to_shoppers_and_not_a_second_login(visitor, sign_in):
    sign_in(visitor, make_user())

    assert visitor.get("/admin/login/?next=/admin/").status_code == 403


PUBLIC = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/signup/passkey/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/done/",
    "/accounts/password/reset/key/2b-abc/",
    "/accounts/inactive/",
    "/account/deleted/",
]
PRIVATE = [
    "/account/",
    "/account/profile/",
    "/account/export/",
    "/account/delete/",
    "/account/delete/confirm/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/password/set/",
    "/accounts/reauthenticate/",
    "/accounts/sessions/",
    "/accounts/2fa/",
    "/accounts/2fa/reauthenticate/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/recovery-codes/download/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/2fa/webauthn/reauthenticate/",
    "/accounts/2fa/webauthn/keys/1/remove/",
    "/accounts/2fa/webauthn/keys/1/edit/",
]
# Steps of signing in, which send a visitor back to its beginning, and the two that only redirect.
ON_THE_WAY = [
    "/accounts/confirm-email/",
    "/accounts/login/code/confirm/",
    "/accounts/2fa/authenticate/",
    "/accounts/2fa/webauthn/login/",
    "/accounts/2fa/webauthn/signup/",
    "/accounts/logout/",
]


@pytest.mark.parametrize("path", PUBLIC)
def test_a_visitor_sees_a_public_page(visitor, path):
    assert visitor.get(path).status_code == 200


@pytest.mark.parametrize("path", PRIVATE)
def test_a_visitor_is_asked_to_sign_in_for_a_private_page(visitor, path):
    answered = visitor.get(path)

    assert answered.status_code == 302
    assert answered["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("path", ON_THE_WAY)
def test_a_step_without_its_beginning_leads_back(visitor, path):
    answered = visitor.get(path)

    assert (answered.status_code, answered["Location"]) in [
        (302, "/accounts/login/"),
        (302, "/accounts/signup/"),
        (302, "/"),
    ]


def test_no_address_of_accounts_is_left_out_of_these_lists():
    resolver = get_resolver()
    patterns = next(part for part in resolver.url_patterns if str(part.pattern) == "accounts/")
    count = sum(1 for _ in _walk(patterns))

    assert count == len([path for path in PUBLIC + PRIVATE + ON_THE_WAY if path.startswith("/accounts/")])


def _walk(part):
    if not hasattr(part, "url_patterns"):
        yield part
        return
    for inner in part.url_patterns:
        yield from _walk(inner)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_messages_do_not_shout(language):
    client, user = Client(headers={"accept-language": language}), make_user()

    try_password(client, user.email, "long-enough-1")
    left = client.post("/accounts/logout/")

    texts = [str(message) for message in get_messages(left.wsgi_request)]
    assert len(texts) == 2
    assert not any("!" in text or user.email in text for text in texts)
