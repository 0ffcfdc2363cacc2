"""How words are split, for what is stored and for what is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.keyboards import swap_keyboard
from catalog.tags import normalize_tag, normalize_tags
from catalog.tokens import MAX_WORDS, parse_phrases, tokenize


def is_found(query: str, text: str) -> bool:
    stored = f" {' '.join(tokenize(text))} "
    phrases = parse_phrases(query)
    return bool(phrases) and all(phrase.needle in stored for phrase in phrases)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("번역기", ["번역", "역기", "기"]),
        ("번역 기", ["번역", "역기", "기"]),
        ("아이폰14", ["아이", "이폰", "폰", "14"]),
        ("GPT-4o", ["gpt", "4", "o"]),
        ("ＦＵＬＬ Café", ["full", "cafe"]),
        ("C++와 C#", ["cpp", "와", "csharp"]),
        ("번역\n요약", ["번역", "역", "요약", "약"]),
        ("", []),
        ("!?… ·", []),
    ],
)
def test_texts_are_split_into_pairs_of_syllables_words_and_numbers(text, tokens):
    assert tokenize(text) == tokens


def test_decomposed_hangul_is_the_same_as_composed():
    assert tokenize("\u1107\u1165\u11ab\u110b\u1167\u11a8") == tokenize("번역")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("아이폰14", "아이폰 14 리뷰"),
        ("아이폰 14", "아이폰14 리뷰"),
        ("번역", "자동번역기"),
        ("번역기", "번역 기계"),
        ("글쓰기", "글 쓰기"),
        ("글 쓰기", "글쓰기"),
        ("책", "영어책"),
        ("trans", "Translator"),
        ("gpt4", "GPT-4o"),
        ("GPT 4", "gpt4"),
        ("cafe", "CAFÉ"),
        ("c++", "C++ 코드"),
        ("요약 번역", "번역하고 요약한다"),
    ],
)
def test_a_text_is_found_however_it_is_spaced_and_cased(query, text):
    assert is_found(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("번역기", "번역하는 비행기"),
        ("co", "code and content"),
        ("lator", "translator"),
        ("14", "1400"),
        ("c++", "c and d"),
        ("아이폰14", "아이폰 케이스 14"),
        ("요약 번역", "번역"),
    ],
)
def test_what_only_looks_alike_is_not_found(query, text):
    assert not is_found(query, text)


@given(st.text(max_size=200))
def test_tokens_hold_nothing_but_letters_and_digits(text):
    for token in [*tokenize(text), *(token for phrase in parse_phrases(text) for token in phrase.tokens)]:
        assert token.isalnum()
        assert len(token) <= 64


@given(st.lists(st.sampled_from(["번역", "아이폰14", "Blog", "글", "gpt", "한국어로"]), min_size=1, max_size=20))
def test_a_text_is_found_by_its_own_words(words):
    assert is_found(" ".join(words), " ".join(words))
    assert len(parse_phrases(" ".join(words))) <= MAX_WORDS


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("qjsdur", "번역"),
        ("dkssudgktpdy", "안녕하세요"),
        ("ekfrrhrl", "닭고기"),
        ("ghkwkd", "화장"),
        ("RhRhdlf", "꼬꼬일"),
        ("ㅠㅣㅐㅎ", "blog"),
        ("ㅎㅔㅅ4", "gpt4"),
        ("ㅓㅁㅍㅁ", "java"),
        ("blog", ""),
        ("123", ""),
        ("", ""),
    ],
)
def test_text_typed_on_the_other_keyboard_is_read(typed, meant):
    assert swap_keyboard(typed) == meant


@given(st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=10))
def test_any_hangul_survives_the_way_to_the_keys(text):
    keys = swap_keyboard(text)

    assert keys.isascii()
    assert keys


@pytest.mark.parametrize(
    ("raw", "tag"),
    [
        ("  #SEO ", "seo"),
        ("블로그  글\n쓰기", "블로그 글 쓰기"),
        ("\u1107\u1165\u11ab\u110b\u1167\u11a8", "번역"),
        ("x" * 99, "x" * 40),
        ("\u200b", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_tags_have_one_form(raw, tag):
    assert normalize_tag(raw) == tag


@pytest.mark.parametrize("raw", [None, "seo", {"a": 1}, 3])
def test_a_tags_column_that_is_no_list_has_no_tags(raw):
    assert normalize_tags(raw) == []


def test_each_tag_counts_once():
    assert normalize_tags(["SEO", "seo", " ", "글"]) == ["seo", "글"]
