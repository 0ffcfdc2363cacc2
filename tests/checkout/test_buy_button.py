"""The buttons of a product page and the cart's number, as other pages get them from the tags."""

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation

from catalog.models import Prompt
from checkout.carts import SessionCart, UserCart, add_to_cart
from tests.factories import NOON, make_prompt, make_purchase, make_seller

pytestmark = pytest.mark.django_db


def draw(tag, user=None, session=None, **context):
    request = RequestFactory().get("/")
    request.user = user or AnonymousUser()
    request.session = session if session is not None else SessionStore()
    with translation.override("en"):
        return Template(f"{{% load checkout_tags %}}{tag}").render(Context({"request": request, **context}))


def buttons(prompt, **options):
    return draw("{% buy_button prompt %}", prompt=Prompt.objects.for_page().get(pk=prompt.pk), **options)


def test_a_visitor_can_buy_now_or_add_to_the_cart():
    drawn = buttons(make_prompt(slug="편지"))

    assert 'href="/checkout/?buy=%ED%8E%B8%EC%A7%80"' in drawn
    assert "Buy now" in drawn
    assert 'action="/cart/add/%ED%8E%B8%EC%A7%80/"' in drawn


def test_what_is_free_says_so():
    assert "Get it for free" in buttons(make_prompt(price=0))


def test_what_lies_in_the_cart_leads_there(buyer):
    prompt = make_prompt()
    session = SessionStore()
    SessionCart(session).add(prompt, now=NOON)
    UserCart(buyer).add(prompt, now=NOON)

    for drawn in (buttons(prompt, session=session), buttons(prompt, user=buyer)):
        assert 'href="/cart/"' in drawn
        assert "Buy now" in drawn
        assert "Add to cart" not in drawn


def test_what_is_owned_leads_to_the_library(buyer):
    prompt = make_prompt(slug="letter")
    make_purchase(buyer=buyer, prompt=prompt)

    drawn = buttons(prompt, user=buyer)

    assert 'href="/library/letter/"' in drawn
    assert "Buy now" not in drawn


def test_ones_own_prompt_is_not_offered():
    seller = make_seller()

    prompt = make_prompt(seller=seller)
    drawn = buttons(prompt, user=seller.user)

    assert "Your own prompt" in drawn
    assert re.findall('href="([^"]*)"', re.sub("<use[^>]*>", "", drawn)) == [f"/studio/listings/{prompt.pk}/"]
    assert "<button" not in drawn


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("draft", "Not on sale yet"),
        ("withdrawn", "The seller does not sell it at the moment"),
        ("removed", "Taken off sale by us"),
    ],
)
def test_what_is_not_for_sale_says_why(state, words):
    drawn = buttons(make_prompt(state=state))

    assert words in drawn
    assert "<button" not in drawn


def test_a_suspended_seller_sells_nothing():
    assert "<button" not in buttons(make_prompt(seller=make_seller(status="suspended")))


def test_the_buttons_cost_two_queries_at_most(buyer, django_assert_num_queries):
    prompt = Prompt.objects.for_page().get(pk=make_prompt(seller=make_seller()).pk)

    with django_assert_num_queries(2):
        draw("{% buy_button prompt %}", prompt=prompt, user=buyer)
    with django_assert_num_queries(0):
        draw("{% buy_button prompt %}", prompt=prompt)


def test_the_badge_counts_and_is_empty_for_nothing(buyer, django_assert_num_queries):
    session = SessionStore()
    SessionCart(session).add(make_prompt(), now=NOON)
    session.save()
    add_to_cart(cart=UserCart(buyer), user=buyer, prompt=make_prompt(), now=NOON)

    assert draw("{% cart_badge %}", session=session) == '<span class="cart-badge" id="cart-badge">1</span>'
    with django_assert_num_queries(0):
        assert draw("{% cart_badge %}") == '<span class="cart-badge" id="cart-badge"></span>'
    with django_assert_num_queries(1):
        assert ">1<" in draw("{% cart_badge %}", user=buyer, session=SessionStore("x"))


def test_a_page_without_a_request_still_draws():
    assert Template("{% load checkout_tags %}{% cart_badge %}").render(Context({})) == (
        '<span class="cart-badge" id="cart-badge"></span>'
    )
