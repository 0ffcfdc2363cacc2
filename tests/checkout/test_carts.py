"""The cart before and after signing in."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from checkout.carts import CartRefused, UserCart, add_to_cart, read_cart, restore_to_cart
from checkout.models import CartItem
from checkout.orders import digest_lines
from tests.factories import NOON, make_prompt, make_purchase, make_seller, make_user

pytestmark = pytest.mark.django_db

EN = {"Accept-Language": "en"}


def sign_in(client, user):
    """Through the sign-in page, as a person does it: that is what keeps the cart."""
    return client.post("/accounts/login/", {"login": user.email, "password": "long-enough-1"})


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_a_prompt_is_in_the_cart_once_however_often_it_is_added(client, buyer, is_signed_in):
    if is_signed_in:
        client.force_login(buyer)
    make_prompt(slug="letter", price=9_900, title="Letter to guests")

    for _ in range(3):
        assert client.post("/cart/add/letter/").status_code == 302

    page = client.get("/cart/", headers=EN).content.decode()
    assert page.count("/cart/remove/letter/") == 2  # action and hx-post of one form
    assert "₩9,900" in page
    assert '<span class="cart-badge" id="cart-badge">1</span>' in page


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_what_was_removed_comes_back_to_its_place_with_its_price(client, buyer, is_signed_in):
    if is_signed_in:
        client.force_login(buyer)
    prompts = [make_prompt(slug=slug, price=1_000, title=slug) for slug in ("first", "second", "third")]
    for prompt in prompts:
        client.post(f"/cart/add/{prompt.title}/")
    prompts[0].price = 2_000
    prompts[0].save(update_fields=["price"])

    answer = client.post("/cart/remove/first/")
    assert "/cart/restore/first/" in client.get(answer["Location"]).content.decode()
    client.post("/cart/restore/first/")

    page = client.get("/cart/", headers=EN).content.decode()
    assert page.index("/prompts/first/") < page.index("/prompts/second/") < page.index("/prompts/third/")
    assert "The price changed from ₩1,000 to ₩2,000 since you added it." in page


def test_the_cart_of_a_visitor_is_merged_visibly_at_sign_in(client, buyer):
    make_prompt(slug="kept", title="Kept")
    make_prompt(slug="both", title="Both")
    owned = make_prompt(slug="owned", title="Owned")
    make_purchase(buyer=buyer, prompt=owned)
    CartItem.objects.create(user=buyer, prompt=make_prompt(slug="older"), created_at=NOON)
    other = Client()
    other.force_login(buyer)
    other.post("/cart/add/both/")
    for slug in ("kept", "both", "owned"):
        client.post(f"/cart/add/{slug}/", headers={"Accept-Language": "ko"})

    answer = sign_in(client, buyer)

    assert answer.status_code == 302
    slugs = set(CartItem.objects.filter(user=buyer).values_list("prompt__listing__slug", flat=True))
    assert slugs == {"older", "both", "kept"}
    said = " ".join(str(message) for message in get_messages(answer.wsgi_request))
    assert 'href="/cart/"' in said
    page = client.get("/cart/", headers=EN).content.decode()
    assert page.count('class="line__title"') == 3


def test_signing_in_without_a_cart_says_nothing_of_it(client, buyer):
    answer = sign_in(client, buyer)

    assert "/cart/" not in " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_merging_drops_ones_own_prompts(client):
    seller = make_seller(user=make_user(email="seller@example.com"))
    make_prompt(slug="mine", seller=seller)
    client.post("/cart/add/mine/")

    sign_in(client, seller.user)

    assert not CartItem.objects.exists()


def test_a_withdrawn_prompt_is_announced_and_not_billed(client, buyer):
    client.force_login(buyer)
    gone = make_prompt(slug="gone", price=7_000, title="Gone")
    make_prompt(slug="here", price=3_000, title="Here")
    for slug in ("gone", "here"):
        client.post(f"/cart/add/{slug}/")
    gone.is_published = False
    gone.save(update_fields=["is_published"])

    page = client.get("/cart/", headers=EN).content.decode()

    assert "No longer sold" in page
    assert "₩3,000" in page
    assert "₩10,000" not in page
    checkout = client.get("/checkout/", headers=EN).content.decode()
    assert "Pay ₩3,000" in checkout


def test_what_is_owned_by_now_leaves_the_cart_with_a_link_to_the_library(client, buyer):
    client.force_login(buyer)
    prompt = make_prompt(slug="letter", title="Letter")
    make_purchase(buyer=buyer, prompt=prompt)
    CartItem.objects.create(user=buyer, prompt=prompt)

    page = client.get("/cart/", headers=EN).content.decode()

    assert "You already have “Letter”" in page
    assert 'href="/library/letter/"' in page
    assert not CartItem.objects.exists()
    assert "already have" not in client.get("/cart/", headers=EN).content.decode()


def test_only_what_can_be_bought_goes_into_a_cart(buyer):
    cart = UserCart(buyer)
    seller = make_seller(user=buyer)
    suspended = make_seller(status="suspended")
    owned = make_purchase(buyer=buyer).prompt
    for prompt in [make_prompt(state="withdrawn"), make_prompt(seller=seller), make_prompt(seller=suspended), owned]:
        with pytest.raises(CartRefused):
            add_to_cart(cart=cart, user=buyer, prompt=prompt, now=NOON)

    assert not CartItem.objects.exists()


def test_a_cart_holds_fifty(buyer):
    cart = UserCart(buyer)
    prompts = [make_prompt() for _ in range(51)]
    for prompt in prompts[:50]:
        add_to_cart(cart=cart, user=buyer, prompt=prompt, now=NOON)

    with pytest.raises(CartRefused):
        add_to_cart(cart=cart, user=buyer, prompt=prompts[50], now=NOON)
    assert add_to_cart(cart=cart, user=buyer, prompt=prompts[0], now=NOON) is False


def test_undo_after_something_else_was_removed_adds_it_anew(buyer):
    cart, session = UserCart(buyer), {}
    prompt = make_prompt()

    restored = restore_to_cart(cart=cart, session=session, user=buyer, prompt=prompt, now=NOON)

    assert restored
    assert CartItem.objects.get().created_at == NOON


def test_a_row_that_another_program_put_into_the_cart_is_shown_and_announces_no_price(buyer):
    CartItem.objects.create(user=buyer, prompt=make_prompt(price=1_000))

    contents = read_cart(cart=UserCart(buyer), user=buyer)

    assert contents.total_krw == 1_000
    assert not contents.lines[0].is_price_changed


def test_an_item_that_another_program_deletes_takes_its_remembered_price_along(buyer):
    from django.db import connection

    add_to_cart(cart=UserCart(buyer), user=buyer, prompt=make_prompt(), now=NOON)

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM carts")
        cursor.execute("SELECT count(*) FROM cart_prices")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("address", ["add", "remove", "restore"])
def test_the_cart_changes_by_post_only_and_knows_no_unknown_prompt(client, address):
    make_prompt(slug="letter")

    assert client.get(f"/cart/{address}/letter/").status_code == 405
    assert client.post(f"/cart/{address}/no-such/").status_code == 404


def test_htmx_gets_the_buttons_the_badge_and_the_spoken_cart(client):
    make_prompt(slug="letter", price=9_900)

    answer = client.post("/cart/add/letter/", headers=EN | {"HX-Request": "true"}).content.decode()

    assert 'id="buy-actions"' in answer
    assert '<span class="cart-badge" id="cart-badge" hx-swap-oob="true">1</span>' in answer
    assert "Cart: 1 prompt, ₩9,900" in answer
    assert "<html" not in answer
    removed = client.post("/cart/remove/letter/", headers=EN | {"HX-Request": "true"}).content.decode()
    assert 'data-toast-seconds="8"' in removed
    assert "Your cart is empty" in removed


@pytest.mark.parametrize("slug", ["draft", "nothing"])
def test_nobody_learns_which_drafts_there_are(buyer, client, slug):
    make_prompt(slug="draft", state="draft")
    client.force_login(buyer)

    for address in (f"/cart/add/{slug}/", f"/cart/remove/{slug}/", f"/cart/restore/{slug}/", f"/checkout/?buy={slug}"):
        assert client.post(address).status_code == 404
    assert client.get(f"/checkout/?buy={slug}").status_code == 404


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "catalog:home", "nowhere"])
def test_next_is_followed_on_this_site_only(client, target):
    make_prompt(slug="letter")

    added = client.post("/cart/add/letter/", {"next": target})
    removed = client.post("/cart/remove/letter/", {"next": target})

    assert added["Location"] == "/prompts/letter/"
    assert removed["Location"] == "/cart/?removed=letter"


@pytest.mark.parametrize("count", [1, 50])
def test_the_cart_costs_the_same_however_full_it_is(client, buyer, count, django_assert_num_queries):
    client.force_login(buyer)
    seller = make_seller()
    for _ in range(count):
        add_to_cart(cart=UserCart(buyer), user=buyer, prompt=make_prompt(seller=seller), now=NOON)

    with django_assert_num_queries(6):  # session, user, cart, prompts, owned, badge
        client.get("/cart/")
    with django_assert_num_queries(6):
        client.get("/checkout/")


def test_a_visitor_without_a_session_costs_no_query_for_the_badge(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/cart/")


@settings(max_examples=25, deadline=None)
@given(prices=st.lists(st.integers(0, 10_000_000), min_size=0, max_size=6), withdrawn=st.sets(st.integers(0, 5)))
def test_the_total_is_what_is_for_sale_and_the_digest_tells_totals_apart(prices, withdrawn):
    user = make_user()
    cart = UserCart(user)
    prompts = [make_prompt(price=price) for price in prices]
    for position, prompt in enumerate(prompts):
        add_to_cart(cart=cart, user=user, prompt=prompt, now=NOON + timedelta(seconds=position))
        if position in withdrawn:
            type(prompt).objects.filter(pk=prompt.pk).update(is_published=False)

    contents = read_cart(cart=cart, user=user)

    assert contents.total_krw == sum(price for position, price in enumerate(prices) if position not in withdrawn)
    assert len(contents.lines) == len(prices)
    dearer = list(contents.billed)
    before = digest_lines(dearer)
    assert digest_lines(reversed(dearer)) == before
    if dearer:
        dearer[0].price += 1
        assert digest_lines(dearer) != before
