"""How a seller appears: the form of the studio, and what others see of it."""

import pytest

from catalog import listings
from sellers.profiles import ProfileRefused, change_seller_profile, clean_seller_name
from tests.factories import make_prompt, make_seller
from tests.sellers.studio_pages import complaints, notices, read_form, send

pytestmark = pytest.mark.django_db

PROFILE = "/studio/profile/"


def test_what_is_saved_is_what_others_see(studio, seller, client):
    answer = send(
        studio,
        PROFILE,
        name="  종이  책상 ",
        slug="종이 책상",
        bio="Letters.\r\nEvery week.",
        website_url="example.com",
        language="en",
    )

    seller.refresh_from_db()
    assert (seller.name, seller.slug, seller.language) == ("종이 책상", "종이-책상", "en")
    assert (seller.bio, seller.website_url) == ("Letters.\nEvery week.", "https://example.com")
    assert notices(studio.get(answer["Location"])) == ["Your seller page is saved."]
    page = client.get("/sellers/종이-책상/")
    assert '<a href="https://example.com" rel="nofollow ugc noopener">' in page.text


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "This field is required."),
        ("a", "A name has 2 to 80 characters; this one has 1."),
        ("n" * 81, "A name has 2 to 80 characters; this one has 81."),
        ("pay\u202epal", "a character that cannot be seen"),
        ("Paper\u200bDesk", "a character that cannot be seen"),
        ("\u3164\u3164", "a character that cannot be seen"),
        ("a" + "\u0301" * 6, "too many marks on one letter"),
    ],
)
def test_names_that_deceive_or_cannot_be_read_are_refused(studio, seller, name, complaint):
    page = send(studio, PROFILE, name=name, bio="Typed")

    assert page.status_code == 422
    assert complaint in complaints(page)
    assert read_form(page)["bio"] == ["Typed"]
    seller.refresh_from_db()
    assert (seller.name, seller.bio) == ("Paper Desk", "")


def test_decomposed_hangul_becomes_one_name(seller):
    assert clean_seller_name("\u1112\u1161\u11ab \u1100\u1173\u11af") == "한 글"


@pytest.mark.parametrize("address", ["ftp://example.com/", "javascript:alert(1)", "https://", "a b"])
def test_only_addresses_of_pages_are_taken(studio, seller, address):
    page = send(studio, PROFILE, website_url=address)

    assert page.status_code == 422
    assert "Website" in complaints(page)


def test_an_address_that_somebody_has_is_refused(studio, seller):
    make_seller(slug="taken")

    page = send(studio, PROFILE, slug="taken", bio="Typed")

    assert "Another seller has this address. Choose another one." in complaints(page)
    seller.refresh_from_db()
    assert (seller.slug, seller.bio) == ("paper-desk", "")


@pytest.mark.parametrize("slug", ["!!!", " ", "-"])
def test_an_address_needs_letters_or_digits(studio, slug):
    assert send(studio, PROFILE, slug=slug).status_code == 422


def test_the_address_stays_once_something_was_on_sale(studio, seller):
    assert "links to the old address stop working" in studio.get(PROFILE).text
    make_prompt(seller=seller, state="withdrawn")

    page = studio.get(PROFILE)
    assert "slug" not in read_form(page)
    studio.post(PROFILE, read_form(page) | {"slug": "elsewhere"})

    seller.refresh_from_db()
    assert seller.slug == "paper-desk"
    with pytest.raises(ProfileRefused):
        change_seller_profile(seller=seller, name=seller.name, slug="elsewhere", bio="", website_url="", language="ko")


def test_lists_follow_a_new_name_and_nothing_else(studio, seller, monkeypatch):
    indexed = []
    monkeypatch.setattr("sellers.studio.profile.index_seller", lambda *, seller: indexed.append(seller.name))

    send(studio, PROFILE, bio="About me.")
    send(studio, PROFILE, name="Another Desk")

    assert indexed == ["Another Desk"]
    assert listings.index_seller(seller=seller) == 0


def test_a_save_of_the_same_writes_nothing(seller, django_assert_num_queries):
    with django_assert_num_queries(0):
        changed = change_seller_profile(
            seller=seller, name=seller.name, slug=seller.slug, bio="", website_url="", language="ko"
        )

    assert changed == set()


def test_the_page_leads_to_what_others_see(studio):
    assert 'href="/sellers/paper-desk/"' in studio.get(PROFILE).text
