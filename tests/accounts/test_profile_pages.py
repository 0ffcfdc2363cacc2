import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Profile, User
from catalog.models import Listing
from tests.accounts.pictures import draw, upload
from tests.factories import make_prompt, make_review, make_seller, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def mina():
    return make_user(email="mina@example.com", nickname="Mina")


@pytest.fixture
def signed_in(visitor, mina):
    visitor.force_login(mina)
    return visitor


def test_the_account_page_leads_to_everything(signed_in):
    page = signed_in.get("/account/").text

    for path in [
        "/account/profile/",
        "/accounts/email/",
        "/accounts/password/change/",
        "/accounts/2fa/",
        "/accounts/sessions/",
        "/account/export/",
        "/account/delete/",
        "/library/",
        "/orders/",
    ]:
        assert f'href="{path}"' in page


def test_the_account_page_of_a_seller_links_to_the_seller_page(signed_in, mina):
    make_seller(user=mina, slug="mina-shop")

    assert 'href="/sellers/mina-shop/"' in signed_in.get("/account/").text


def test_the_account_page_costs_the_same_however_much_there_is(signed_in, mina, django_assert_num_queries):
    signed_in.get("/account/")
    with django_assert_num_queries(9):
        signed_in.get("/account/")


def test_a_nickname_is_saved_and_shown(signed_in, mina):
    answered = signed_in.post("/account/profile/", {"nickname": " 김  미나 "}, follow=True)

    assert answered.redirect_chain == [("/account/profile/", 302)]
    assert "Your profile is saved." in answered.text
    mina.profile.refresh_from_db()
    assert mina.profile.nickname == "김 미나"


def test_a_refused_nickname_says_why_and_keeps_what_was_typed(signed_in, mina):
    answered = signed_in.post("/account/profile/", {"nickname": "x"})

    assert answered.status_code == 422
    assert "A nickname has 2 to 30 characters; this one has 1." in answered.text
    assert 'value="x"' in answered.text
    mina.profile.refresh_from_db()
    assert mina.profile.nickname == "Mina"


def test_a_picture_is_uploaded_shown_and_served_and_removed(signed_in, mina, django_capture_on_commit_callbacks):
    saved = signed_in.post("/account/profile/avatar/", {"avatar": upload(draw())}, follow=True)
    mina.profile.refresh_from_db()
    url = mina.profile.avatar_url
    served = signed_in.get(url)
    served.getvalue()  # read to its end, the file is closed
    with django_capture_on_commit_callbacks(execute=True):
        removed = signed_in.post("/account/profile/avatar/remove/", follow=True)

    assert f'src="{url}"' in saved.text
    assert (served.status_code, served["Content-Type"]) == (200, "image/webp")
    assert "Your picture is removed." in removed.text
    assert "/media/avatars/" not in removed.text
    assert signed_in.get(url).status_code == 404


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "Choose a picture first."),
        ({"avatar": upload(b"")}, "This file is empty."),
        ({"avatar": upload(b"nonsense")}, "not a picture that we can read"),
        ({"avatar": upload(b"<svg></svg>", "a.svg", "image/svg+xml")}, "SVG drawings cannot be used here."),
    ],
)
def test_a_refused_picture_says_why(signed_in, files, words):
    answered = signed_in.post("/account/profile/avatar/", files)

    assert answered.status_code == 422
    assert words in answered.text


def test_pictures_are_changed_by_post_only(signed_in):
    assert signed_in.get("/account/profile/avatar/").headers["location"] == "/account/profile/"
    assert signed_in.get("/account/profile/avatar/remove/").status_code == 405


@pytest.mark.parametrize("path", ["/account/profile/avatar/", "/account/profile/avatar/remove/"])
def test_a_visitor_changes_nobodys_picture(visitor, path):
    answered = visitor.post(path)

    assert answered["Location"].startswith("/accounts/login/")


def test_anybody_sees_name_reviews_and_since_when_and_nothing_private(mina, visitor):
    prompt = make_prompt(title="Tea master", slug="tea")
    make_review(prompt=prompt, author=mina, rating=4, body="Good leaves.")

    page = visitor.get(f"/people/{mina.handle}/")

    assert page.status_code == 200
    for shown in ["Mina", "Tea master", 'href="/prompts/tea/"', "Good leaves."]:
        assert shown in page.text
    for private in [mina.email, str(mina.pk), "/orders/", "/library/"]:
        assert private not in page.text


def test_somebody_without_a_nickname_is_a_shopper_with_an_initial(visitor):
    user = make_user(email="private-name@example.com")

    page = visitor.get(f"/people/{user.handle}/")

    assert "<h1>Shopper</h1>" in page.text
    assert "private-name" not in page.text


def test_a_seller_is_linked_while_active(visitor, mina):
    seller = make_seller(user=mina, slug="mina-shop", name="Mina Shop")
    assert 'href="/sellers/mina-shop/"' in visitor.get(f"/people/{mina.handle}/").text

    seller.status = "suspended"
    seller.save()
    assert "mina-shop" not in visitor.get(f"/people/{mina.handle}/").text


def test_hidden_reviews_and_those_of_prompts_not_on_sale_are_not_shown(visitor, mina):
    make_review(prompt=make_prompt(title="Hidden one"), author=mina, hidden_at=timezone.now())
    make_review(prompt=make_prompt(title="Withdrawn one", state=Listing.State.WITHDRAWN), author=mina)
    make_review(prompt=make_prompt(title="Closed one", seller=make_seller(status="suspended")), author=mina)

    page = visitor.get(f"/people/{mina.handle}/").text

    assert "No reviews yet." in page
    assert not any(title in page for title in ["Hidden one", "Withdrawn one", "Closed one"])


@pytest.mark.parametrize("fields", [{"is_active": False}, {"deleted_at": timezone.now()}])
def test_who_is_switched_off_or_deleted_is_not_found(visitor, mina, fields):
    User.objects.filter(pk=mina.pk).update(**fields)

    assert visitor.get(f"/people/{mina.handle}/").status_code == 404


def test_nobody_is_not_found(visitor):
    assert visitor.get("/people/nobody/").status_code == 404


@pytest.mark.parametrize("count", [1, 20, 50])
def test_a_public_profile_costs_the_same_however_many_reviews(count, mina, django_assert_num_queries):
    for _ in range(count):
        make_review(prompt=make_prompt(), author=mina)
    client = Client()

    with django_assert_num_queries(3):
        page = client.get(f"/people/{mina.handle}/")

    assert page.text.count('class="review"') == min(count, 20)


def test_an_account_without_a_profile_still_has_its_pages(signed_in, mina, visitor):
    mina.profile.delete()

    assert visitor.get(f"/people/{mina.handle}/").status_code == 200
    assert signed_in.get("/account/").status_code == 200
    assert Profile.objects.filter(user=mina).count() == 1


def test_names_of_people_follow_their_accounts(mina):
    assert mina.display_name == "Mina"
    mina.deleted_at = timezone.now()
    assert str(mina.display_name) in ("Former member", "탈퇴한 회원")
