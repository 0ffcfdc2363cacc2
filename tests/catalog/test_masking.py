"""What everybody may read of a text that is for sale."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.masking import public_preview


@given(st.text(max_size=3_000))
@example("가" * 2_000)
@example("{{이름}}" * 300)
@example("한\u200d글" * 500)
@example("")
def test_a_preview_is_a_beginning_never_longer_than_a_fifth_and_300_characters(text):
    preview = public_preview(text)

    assert text.startswith(preview.shown)
    assert len(preview.shown) <= len(text) // 5
    assert len(preview.shown) <= 300


@given(st.text(alphabet="ab{} \n가", max_size=400))
def test_a_preview_says_how_much_is_hidden_in_whole_rows(text):
    preview = public_preview(text)
    hidden = text[len(preview.shown) :].strip()

    assert preview.hidden_cells % 20 == 0
    assert 0 <= preview.hidden_cells - len(hidden) < 20
    assert preview.hidden_lines == len([line for line in hidden.splitlines() if line.strip()])


def test_a_preview_ends_between_words():
    assert public_preview("Act as an expert " + "and write about " * 8).shown == "Act as an expert and write"


def test_a_preview_ends_before_a_variable_that_would_be_cut():
    assert public_preview("역할: {{아주 긴 변수 이름}} " + "나" * 60).shown == "역할:"


@pytest.mark.parametrize(
    "placeholder", ["${아주 긴 변수: 값}", "{아주 긴 변수 이름}", "[아주 긴 변수 이름]", "#{아주 긴 변수 이름}"]
)
def test_a_preview_cuts_through_no_form_of_a_placeholder(placeholder):
    assert public_preview(f"역할: {placeholder} " + "나" * 60).shown == "역할:"


@given(st.text(max_size=400), st.text(alphabet="{}[]$가 a", max_size=400))
def test_a_preview_says_nothing_of_what_stands_far_behind_it(beginning, end):
    text = beginning + "." * 700
    assert public_preview(text + "나" * len(end)).shown == public_preview(text + end).shown


def test_a_preview_ends_with_a_line_where_one_ends():
    assert (
        public_preview("첫째 줄입니다\n둘째 줄은 더 길어요" + "\n다음" * 30).shown
        == "첫째 줄입니다\n둘째 줄은 더 길어요"
    )


def test_a_short_text_shows_nothing():
    assert public_preview("1234").shown == ""
    assert public_preview("").hidden_lines == 0
