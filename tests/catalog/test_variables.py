"""What in a prompt's text is a placeholder, and what only looks like one."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.variables import (
    MAX_PLACES,
    MAX_VARIABLES,
    Doubts,
    Variable,
    fill,
    find_doubts,
    find_placeholders,
    find_variables,
)

PIECES = st.lists(
    st.sampled_from(
        [*"{}[]$#`\\/|: \n-a가A1", "{{", "}}", "${", "```\n", "이름", "NAME", "{{name}}", "[주제: 값]", "${a:b}", "{% "]
    ),
    max_size=60,
).map("".join)


def names(text: str) -> list[str]:
    return [variable.name for variable in find_variables(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{name}} and {{ name }}", [Variable("name")]),
        ("{{제품 이름}}을 {{tone}}으로", [Variable("제품 이름"), Variable("tone")]),
        ("{{tone|다정하게}} {{length: 300자}}", [Variable("tone", "다정하게"), Variable("length", "300자")]),
        ("{{memo|}}", [Variable("memo", "")]),
        ("{{{x}}}", [Variable("x")]),
        ("For ${age:all}, ${Tone: warm | dry}.", [Variable("age", "all"), Variable("Tone", "warm | dry")]),
        ("Hello ${Brand's name}", [Variable("Brand's name")]),
        ("Act like {character} from {series}.", [Variable("character"), Variable("series")]),
        ("{나이}세 {직업}에게 {말투|존댓말}로", [Variable("나이"), Variable("직업"), Variable("말투", "존댓말")]),
        ("Clothing in [OUTFIT_STYLE], for [USER NAME].", [Variable("OUTFIT_STYLE"), Variable("USER NAME")]),
        ("[주제]에 대해 [말투: 존댓말]로 써 주세요", [Variable("주제"), Variable("말투", "존댓말")]),
        ("[이름] 님께 보내는 글", [Variable("이름")]),
        ("#{고객명}님, 주문하신 #{상품명}", [Variable("고객명"), Variable("상품명")]),
        ("a page for my [project] about [field/technology]", [Variable("project"), Variable("field/technology")]),
        ("```\nDaily report - ${date}\n```", [Variable("date")]),
        ("```json\n{\"city\": \"{{도시}}\", \"n\": ${count:3}}\n```", [Variable("도시"), Variable("count", "3")]),
    ],
)  # fmt: skip
def test_placeholders_are_found_with_their_defaults(text, found):
    assert find_variables(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "{{}} {{ }} {{a\nb}} {} [] ${} #{}",
        "{{" + "x" * 61 + "}} ${" + "x" * 61 + "}",
        '{"name": "category", "value": [1, 2, "A"]}',
        "[{name: parameter, value: parameterValue}] and { de: 1 }",
        'Colours: ["White", "Red"], [A, B], [1], [3][4]',
        "- [ ] open\n- [x] done\n- [X] done too",
        "[Docs](https://example.com) ![ALT](a.png) [REF][1] [^1]\n[REF]: https://example.com",
        r"\frac{a}{b}, x^{n}, y_{i}, \sqrt[N]{x}, \text{합계}, \begin{table}[H]",
        "body { margin: 0; } a[TYPE] { color: red } :focus { outline: none; }",
        "{% for item in items %}{{ item }}{% endfor %} {{ user.name }} {{#if A}}{{ a|upper }}{{/if}}",
        "{{ $json['이름'] }} {{#1761.name#}} {{> partial}} {{tone|default('x')}}",
        "const { container } = render(); import {useState} from 'x'; style={{color: red}} <b>{children}</b> f(x) {y}",
        "echo ${HOME:-/root} $HOME ${arr[KEY]} ${x%.*} $(date) awk '{print $1}' mkdir {a,b}",
        "```bash\necho ${PATH} && cp {src} [DEST]\n```",
        "Use `${name}` and `{name}` and `[NAME]`.",
        "by putting text inside curly brackets {like this}.",
        "[역할]\n당신은 편집자입니다.\n[규칙] 짧게 써요.\n## [출력 형식]\n[예시]: 안녕\n위 [규칙]을 지켜요.",
        "[INTRO] Soft piano\n[VERSE] Driving beat\n[INST] hi [/INST]",
        "[ERROR] failed [WARNING] [TODO] [참고] [주의: 뜨거움]",
        "Passed: [X/Y], [yes / no], [LOW | HIGH], date [YYYY-MM-DD], [a-z], [가-힣]+, [A-Z0-9]",
        "- 🚫 [issue]: [description] → [fix] at [place] by [person]",
        r"\{{name}} \${name} \[NAME] \{name}",
        "GET /users/{id}, BUG-{id}, {n}, %{name}, #{name}, @{name}",
        "test('handles {case}', () => {",
        "{{name} and {name}}",
    ],
)
def test_what_only_looks_like_a_placeholder_is_none(text):
    assert names(text) == []


def test_a_name_that_counts_outside_of_code_counts_in_it():
    assert names("Fill in {city}.\n```python\nprint('{city}', {other})\n```") == ["city"]
    assert len(find_placeholders("`{city}` {{CITY}} ${city} [City]")) == 4


def test_where_double_braces_are_used_brackets_are_something_else():
    text = "{{내용}}을 정리해요. 모르면 [확인 필요] {메모}, ${tone}은 [tone]이에요."

    assert names(text) == ["내용", "tone"]
    assert fill(text, {"tone": "x"}).endswith("x은 x이에요.")


def test_one_name_in_several_forms_is_one_variable_with_the_first_default():
    text = "{{brand name}} ${brand_name:Han} [BRAND NAME] {{brand name|Other}}"

    assert find_variables(text) == [Variable("brand name", "Han")]
    assert fill(text, {"Brand_Name": "B"}) == "B B B B"


def test_names_are_one_in_either_normal_form():
    assert find_variables("{{\u110b\u1175\u1105\u1173\u11b7}} {{이름}}") == [Variable("이름")]
    assert fill("{{\u110b\u1175\u1105\u1173\u11b7}}", {"이름": "봄"}) == "봄"


def test_filling_puts_values_in_defaults_elsewhere_and_leaves_the_rest():
    text = 'Dear {{guest}}, {"a": {b}} ${tone:warm} ${place}\r\n'

    assert fill(text, {"guest": "Han"}) == 'Dear Han, {"a": {b}} warm ${place}\r\n'


def test_a_value_is_never_filled_again():
    assert fill("{{a}} {{b}}", {"a": "{{b}}", "b": r"\1 ${a}"}) == r"{{b}} \1 ${a}"


def test_an_empty_value_empties_the_place():
    assert fill("<{{a|x}}>", {"a": ""}) == "<>"


def test_more_than_fifty_names_and_a_thousand_places_are_text():
    text = " ".join(f"{{{{v{number}}}}}" for number in range(60))

    assert names(text) == [f"v{number}" for number in range(MAX_VARIABLES)]
    assert fill("{{a}}" * (MAX_PLACES + 1), {"a": "x"}) == "x" * MAX_PLACES + "{{a}}"


@settings(max_examples=60)
@given(PIECES)
@example("{{a|[b]}}")
def test_places_are_in_order_apart_and_what_is_between_them_stays(text):
    places = find_placeholders(text)
    filled = fill(text, {place.name: "\0" for place in places})

    assert all(first.end <= second.start for first, second in pairwise(places))
    ends, starts = [0, *(place.end for place in places)], [*(place.start for place in places), len(text)]
    assert filled.split("\0") == [text[end:start] for end, start in zip(ends, starts, strict=True)]


@settings(max_examples=60)
@given(PIECES, st.text(max_size=20))
def test_a_text_without_placeholders_comes_back_byte_for_byte(text, value):
    if not find_placeholders(text):
        assert fill(text, {"a": value}) == text
    assert len(find_variables(text)) <= MAX_VARIABLES


@pytest.mark.parametrize(
    "piece",
    [
        *("{", "[", "${", "{{", "`", "```\n", "~~~", "[a", "[/a", "{{a|", "\n- [A]", "{a}", "{%", "a-{a}", "\\a{가}"),
        *(
            "[YYYYMMMMMMMMMMMMMMMMMMMX]",
            "[A A A A A A A A A A A A A A!]",
            "{a a a a a a a a a a a a?}",
            "{a} " + "x" * 50,
        ),
    ],
)
def test_hostile_text_is_read(piece):
    """Were any rule quadratic, this would take hours rather than a second."""
    text = piece * ((1_000_000 if len(piece) == 1 else 200_000) // len(piece))

    assert len(find_variables(text)) <= 1
    assert len(find_doubts(text).not_counted) <= 10


@pytest.mark.parametrize(
    ("text", "doubts"),
    [
        ("[주제] {city} `{city}`", Doubts([], [])),
        ("Dear {{guest, hello", Doubts(["{{guest, hello"], [])),
        ("Dear {{guest} hello\nnext", Doubts(["{{guest} hello"], [])),
        ("[Your Name], `{city}`", Doubts([], ["[Your Name]", "{city}"])),
        ("{{name}} [주제] {tone}", Doubts([], ["[주제]", "{tone}"])),
        ('{"a": {{"b": 1}}} - [ ] [Docs](x)', Doubts([], [])),
    ],
)
def test_a_seller_hears_of_what_may_have_been_meant(text, doubts):
    assert find_doubts(text) == doubts
    assert bool(doubts) == bool(doubts.unclosed or doubts.not_counted)


def test_a_seller_hears_of_too_many():
    assert find_doubts(" ".join(f"{{{{v{number}}}}}" for number in range(51))) == Doubts([], [], is_over=True)
