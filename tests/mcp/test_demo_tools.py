import jsonschema
import pytest

from mcp.demo.demo_tools import TOOLS, DemoService
from mcp.serving.arguments import check_arguments
from mcp.serving.service import BadParams, ToolFailed

BY_NAME = {tool.name: tool for tool in TOOLS}


def call(name: str, **arguments) -> dict:
    tool = BY_NAME[name]
    checked, problems = check_arguments(tool.input_schema, arguments)
    assert problems == []
    structured = tool.call(checked).structured
    jsonschema.validate(structured, tool.output_schema)
    return structured


def test_texts_are_counted_as_korean_forms_do():
    assert call("count_text", text="안녕 하세요\nab") == {
        "characters": 9,
        "characters_without_spaces": 7,
        "words": 3,
        "lines": 2,
        "bytes": 14,
    }


@pytest.mark.parametrize(
    ("arguments", "moved"),
    [
        ({"start": "2026-11-30", "days": 100}, {"date": "2027-03-10", "weekday": "수요일"}),
        ({"start": "2024-03-01", "days": -1}, {"date": "2024-02-29", "weekday": "목요일"}),
        ({"start": "2026-11-27", "days": 1, "weekdays_only": True}, {"date": "2026-11-30", "weekday": "월요일"}),
        ({"start": "2026-11-30", "days": -1, "weekdays_only": True}, {"date": "2026-11-27", "weekday": "금요일"}),
        ({"start": "2026-11-28", "days": 0}, {"date": "2026-11-28", "weekday": "토요일"}),
    ],
)
def test_dates_are_moved(arguments, moved):
    assert call("move_date", **arguments) == moved


@pytest.mark.parametrize("arguments", [{"start": "2026-02-30", "days": 1}, {"start": "9999-12-31", "days": 1}])
def test_a_day_that_is_none_is_a_failure_to_read(arguments):
    with pytest.raises(ToolFailed):
        call("move_date", **arguments)


def test_the_last_digit_of_a_business_number_proves_it():
    assert call("check_business_number", number="1234567891") == {"number": "123-45-67891", "is_valid": True}
    assert call("check_business_number", number="123-45-67890") == {"number": "123-45-67890", "is_valid": False}


def test_a_price_is_split_so_that_both_parts_add_up():
    assert call("split_vat", price_krw=12_900) == {"supply_krw": 11_727, "vat_krw": 1_173}


def test_a_prompt_is_filled_with_what_was_given_as_it_is():
    text = DemoService().get_prompt("polite_reply", {"message": "{tone} {{message}}"}).messages[0][1]

    assert text == "아래 글에 해요체로 정중하게 답장을 써 주세요.\n\n{tone} {{message}}"


def test_a_prompt_names_what_is_missing():
    with pytest.raises(BadParams, match="missing arguments: work"):
        DemoService().get_prompt("weekly_report", {})
