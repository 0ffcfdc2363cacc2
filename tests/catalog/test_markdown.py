"""Descriptions as HTML and as one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.markdown import plain_summary, render_markdown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**굵게** 그리고 `코드`", "<p><strong>굵게</strong> 그리고 <code>코드</code></p>"),
        ("# 제목", "<h3>제목</h3>"),
        ("###### deep", "<h6>deep</h6>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>"),
        ("[x](https://e.com)", '<p><a href="https://e.com" rel="nofollow ugc noopener">x</a></p>'),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        (None, ""),
    ],
)
def test_markdown_becomes_safe_html(text, html):
    assert render_markdown(text) == html


def test_a_picture_is_never_loaded():
    assert "<img" not in render_markdown("![x](https://e.com/pixel.png)")


def test_a_table_carries_no_inline_style():
    html = render_markdown("|a|\n|:-:|\n|1|")

    assert "<table>" in html
    assert "style" not in html


@given(st.text(max_size=400))
def test_no_text_makes_an_element_or_attribute_that_is_not_allowed(text):
    html = render_markdown(text).lower()

    for bad in ("<script", "<img", "<iframe", "<style", "<svg"):
        assert bad not in html


def test_a_summary_is_one_line_without_marks_and_headings():
    assert plain_summary("# 소개\n\n**블로그** 글을\n씁니다.\n\n- 빠르게") == "블로그 글을 씁니다. 빠르게"


def test_a_heading_alone_is_the_summary():
    assert plain_summary("# 소개") == "소개"


def test_a_long_summary_ends_between_words():
    assert plain_summary("하나 둘셋 넷다섯여섯일곱", limit=10) == "하나 둘셋…"
    assert plain_summary("가" * 30, limit=10) == "가" * 9 + "…"


@given(st.text(max_size=300), st.integers(min_value=10, max_value=60))
def test_a_summary_keeps_its_limit(text, limit):
    summary = plain_summary(text, limit)

    assert len(summary) <= limit
    assert "\n" not in summary
