"""How the registry's search folds what is stored and what is asked."""

import pytest

from mcp.registry.search_text import MAX_WORDS, fold, make_search_text, split_words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Weather  KOREA\n", "weather korea"),
        ("날씨 서버", "날씨 서버"),
        ("\u1102\u1161\u11af\u110a\u1175", "날씨"),  # decomposed, as some systems send it
        ("ＦＵＬＬ Café", "full cafe"),
        ("Get_Weather", "get_weather"),
        ("", ""),
    ],
)
def test_what_reads_the_same_folds_to_the_same(text, folded):
    assert fold(text) == folded
    assert fold(folded) == folded


def test_the_stored_text_has_a_line_for_each_text():
    text = make_search_text(name="Weather", description="Forecasts\nby city", tool_names=["get_weather", "알림_보내기"])

    assert text == "weather\nforecasts by city\nget_weather\n알림_보내기"


def test_a_query_falls_into_its_words_once_each_and_not_too_many():
    assert split_words(" Weather weather 날씨 ") == ["weather", "날씨"]
    assert split_words("   ") == []
    assert len(split_words(" ".join(f"w{n}" for n in range(50)))) == MAX_WORDS
