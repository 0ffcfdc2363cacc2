import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def mina():
    return make_user(email="mina@example.com")


@pytest.fixture
def signed_in(visitor, sign_in, confirm_password, mina):
    """Mina's browser, where the password was typed a second time just now."""
    sign_in(visitor, mina)
    confirm_password(visitor, "/accounts/email/")
    return visitor


def ask_for(client, address):
    return client.post("/accounts/email/", {"action_add": "", "email": address})


def test_the_address_changes_once_the_code_from_the_new_one_is_typed(signed_in, mina, read_code):
    asked = ask_for(signed_in, "New@Example.com")
    before = User.objects.get().email
    answered = signed_in.post("/accounts/confirm-email/", {"code": read_code("new@example.com")})

    assert asked["Location"] == "/accounts/confirm-email/"
    assert before == "mina@example.com"
    assert (answered.status_code, answered["Location"]) == (302, "/account/")
    mina.refresh_from_db()
    assert mina.email == "new@example.com"
    assert [(row.email, row.verified, row.primary) for row in mina.emailaddress_set.all()] == [
        ("new@example.com", True, True)
    ]


def test_the_old_address_is_told_of_the_change(signed_in, read_code):
    ask_for(signed_in, "new@example.com")
    signed_in.post("/accounts/confirm-email/", {"code": read_code("new@example.com")})

    [told] = [message for message in mail.outbox if message.to == ["mina@example.com"]]
    assert told.subject == "[Promptjang] Your e-mail address was changed"
    assert "from mina@example.com to new@example.com" in told.body
    assert "http://localhost:8000/accounts/password/reset/" in told.body


def test_an_address_is_changed_only_after_the_password_was_typed_again(visitor, sign_in, mina):
    sign_in(visitor, mina)

    asked = ask_for(visitor, "new@example.com")

    assert asked["Location"].startswith("/accounts/reauthenticate/?next=")
    assert mail.outbox == []


def test_what_was_asked_for_goes_on_after_the_password(visitor, sign_in, mina):
    sign_in(visitor, mina)
    ask_for(visitor, "new@example.com")

    answered = visitor.post("/accounts/reauthenticate/", {"password": "long-enough-1", "next": "/accounts/email/"})

    assert answered["Location"] == "/accounts/confirm-email/"
    assert [message.to for message in mail.outbox] == [["new@example.com"]]


def test_a_wrong_password_is_refused_where_it_is_asked_again(visitor, sign_in, mina):
    sign_in(visitor, mina)

    answered = visitor.post("/accounts/reauthenticate/", {"password": "wrong-password", "next": "/account/export/"})

    assert "The password is not right." in answered.text
    assert visitor.get("/account/export/").status_code == 302


def test_another_persons_address_gets_the_same_answer_and_never_becomes_mine(signed_in, mina, read_code):
    """Only its owner could read the code, and even with it the address stays theirs."""
    make_user(email="juno@example.com")

    asked = ask_for(signed_in, "Juno@example.com")
    page = signed_in.get("/accounts/confirm-email/")
    answered = signed_in.post("/accounts/confirm-email/", {"code": read_code("juno@example.com")})

    assert asked["Location"] == "/accounts/confirm-email/"
    assert "juno@example.com" in page.text
    assert "This address cannot be used." in answered.text
    mina.refresh_from_db()
    assert mina.email == "mina@example.com"


def test_an_address_taken_while_the_code_was_under_way_is_refused_in_words(signed_in, mina, read_code):
    ask_for(signed_in, "new@example.com")
    make_user(email="new@example.com")

    answered = signed_in.post("/accounts/confirm-email/", {"code": read_code("new@example.com")})

    assert "This address cannot be used." in answered.text
    mina.refresh_from_db()
    assert mina.email == "mina@example.com"


def test_an_address_taken_by_an_unfinished_sign_up_is_refused_as_well(signed_in, mina, read_code):
    """Its row in `users` has the address although it is confirmed nowhere: two rows with it would break."""
    ask_for(signed_in, "new@example.com")
    User.objects.create_user("new@example.com", "long-enough-1")

    answered = signed_in.post("/accounts/confirm-email/", {"code": read_code("new@example.com")}, follow=True)

    assert answered.status_code == 200
    assert "This address cannot be used." in answered.text
    mina.refresh_from_db()
    assert mina.email == "mina@example.com"


def test_my_own_address_is_no_change(signed_in):
    answered = ask_for(signed_in, "mina@example.com")

    assert "This is already the address of your account." in answered.text


def test_the_password_is_changed_with_the_current_one_and_stays_signed_in(signed_in, mina):
    data = {"oldpassword": "long-enough-1", "password1": "brand-new-22", "password2": "brand-new-22"}

    wrong = signed_in.post("/accounts/password/change/", {**data, "oldpassword": "nonsense"})
    answered = signed_in.post("/accounts/password/change/", data)

    assert "This is not your current password." in wrong.text
    assert answered["Location"] == "/account/"
    assert signed_in.get("/account/").status_code == 200
    mina.refresh_from_db()
    assert mina.check_password("brand-new-22")
    assert [message.subject for message in mail.outbox] == ["[Promptjang] Your password was changed"]


def test_a_changed_password_ends_all_other_sessions(signed_in, mina, sign_in):
    elsewhere = Client()
    sign_in(elsewhere, mina)
    data = {"oldpassword": "long-enough-1", "password1": "brand-new-22", "password2": "brand-new-22"}

    signed_in.post("/accounts/password/change/", data)

    assert elsewhere.get("/account/").status_code == 302


def find_link() -> str:
    return next(line for line in mail.outbox[-1].body.splitlines() if "/password/reset/key/" in line)


def test_a_forgotten_password_is_replaced_through_the_mailed_link(visitor, mina):
    asked = visitor.post("/accounts/password/reset/", {"email": "MINA@example.com"})
    form = visitor.get(find_link(), follow=True)
    answered = visitor.post(form.request["PATH_INFO"], {"password1": "brand-new-22", "password2": "brand-new-22"})

    assert asked["Location"] == "/accounts/password/reset/done/"
    assert form.status_code == 200
    assert answered.status_code == 302
    mina.refresh_from_db()
    assert mina.check_password("brand-new-22")


def test_the_link_works_once(visitor, mina):
    visitor.post("/accounts/password/reset/", {"email": mina.email})
    link = find_link()
    form = visitor.get(link, follow=True)
    visitor.post(form.request["PATH_INFO"], {"password1": "brand-new-22", "password2": "brand-new-22"})

    again = Client(headers={"accept-language": "en"}).get(link, follow=True)

    assert "This link no longer works" in again.text


def test_the_link_is_worthless_after_an_hour(visitor, mina, time_machine):
    time_machine.move_to("2026-11-22T12:00:00Z", tick=False)
    visitor.post("/accounts/password/reset/", {"email": mina.email})
    link = find_link()

    time_machine.move_to("2026-11-22T13:00:01Z", tick=False)

    assert "This link no longer works" in visitor.get(link, follow=True).text


def test_an_unknown_address_gets_the_same_answer_and_no_mail(visitor):
    asked = visitor.post("/accounts/password/reset/", {"email": "nobody@example.com"})

    assert asked["Location"] == "/accounts/password/reset/done/"
    assert mail.outbox == []


def test_a_switched_off_account_gets_no_link(visitor, mina):
    User.objects.update(is_active=False)

    visitor.post("/accounts/password/reset/", {"email": mina.email})

    assert mail.outbox == []


def test_the_page_of_the_address_needs_no_inline_style(signed_in):
    ask_for(signed_in, "new@example.com")

    page = signed_in.get("/accounts/email/")

    assert "new@example.com" in page.text
    assert "style=" not in page.text
