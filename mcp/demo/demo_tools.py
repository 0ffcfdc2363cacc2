"""What the demo MCP server offers: small tools that really compute, and two prompts. It reads and keeps nothing."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from checkout.tax import split_vat
from mcp.serving.service import (
    BadParams,
    Prompt,
    PromptArgument,
    PromptPage,
    PromptText,
    ServerInfo,
    Service,
    Tool,
    ToolAnswer,
    ToolFailed,
)
from sellers.business import format_registration_number

_HINTS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
_WEEKDAYS = "월화수목금토일"
_SATURDAY = 5


def count_text(arguments: dict[str, Any]) -> ToolAnswer:
    text = arguments["text"]
    return ToolAnswer(
        {
            "characters": len(text),
            "characters_without_spaces": len(re.sub(r"\s", "", text)),
            "words": len(text.split()),
            "lines": len(text.splitlines()),
            "bytes": sum(1 if character.isascii() else 2 for character in text),
        }
    )


def move_date(arguments: dict[str, Any]) -> ToolAnswer:
    try:
        day = date.fromisoformat(arguments["start"])
        moved = _move_weekdays(day, arguments["days"]) if arguments["weekdays_only"] else _move(day, arguments["days"])
    except ValueError:
        raise ToolFailed(f"{arguments['start']} is no day of the calendar") from None
    except OverflowError:
        raise ToolFailed("that leads beyond the years 1 to 9999") from None
    return ToolAnswer({"date": moved.isoformat(), "weekday": f"{_WEEKDAYS[moved.weekday()]}요일"})


def _move(day: date, days: int) -> date:
    return day + timedelta(days=days)


def _move_weekdays(day: date, days: int) -> date:
    """Saturdays and Sundays are stepped over; public holidays are not known."""
    for _ in range(abs(days)):
        day = _move(day, 1 if days > 0 else -1)
        while day.weekday() >= _SATURDAY:
            day = _move(day, 1 if days > 0 else -1)
    return day


def check_business_number(arguments: dict[str, Any]) -> ToolAnswer:
    number = format_registration_number(arguments["number"])
    return ToolAnswer({"number": number or arguments["number"], "is_valid": number is not None})


def divide_price(arguments: dict[str, Any]) -> ToolAnswer:
    price_krw = arguments["price_krw"]
    vat_krw = split_vat(price_krw)
    return ToolAnswer({"supply_krw": price_krw - vat_krw, "vat_krw": vat_krw})


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    """A schema whose properties are all required, but for those with a default."""
    required = [name for name, part in properties.items() if "default" not in part]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_COUNT = {"type": "integer", "minimum": 0}

TOOLS = (
    Tool(
        name="count_text",
        title="글자 수 세기",
        description="글의 글자 수, 공백을 뺀 글자 수, 낱말 수, 줄 수, 바이트 수(한글은 2바이트)를 셉니다.",
        input_schema=_object(text={"type": "string", "maxLength": 20_000, "description": "셀 글"}),
        output_schema=_object(
            characters=_COUNT, characters_without_spaces=_COUNT, words=_COUNT, lines=_COUNT, bytes=_COUNT
        ),
        annotations=_HINTS,
        call=count_text,
    ),
    Tool(
        name="move_date",
        title="날짜 계산",
        description="어느 날에서 며칠 뒤나 앞의 날짜와 요일을 알려 줍니다. 평일만 셀 수도 있습니다(공휴일은 모릅니다).",
        input_schema=_object(
            start={"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$", "description": "시작하는 날, 2026-11-30처럼"},
            days={"type": "integer", "minimum": -10_000, "maximum": 10_000, "description": "더할 날수; 음수면 앞으로"},
            weekdays_only={"type": "boolean", "default": False, "description": "토요일과 일요일을 건너뛸지"},
        ),
        output_schema=_object(date={"type": "string"}, weekday={"type": "string"}),
        annotations=_HINTS,
        call=move_date,
    ),
    Tool(
        name="check_business_number",
        title="사업자등록번호 형식 확인",
        description="사업자등록번호 열 자리의 형식과 검증 숫자를 확인합니다. 실제로 있는 사업자인지는 알 수 없습니다.",
        input_schema=_object(
            number={"type": "string", "maxLength": 40, "description": "123-45-67890처럼 열 자리"},
        ),
        output_schema=_object(number={"type": "string"}, is_valid={"type": "boolean"}),
        annotations=_HINTS,
        call=check_business_number,
    ),
    Tool(
        name="split_vat",
        title="부가세 나누기",
        description="부가세 10%가 든 금액을 공급가액과 부가세로 나눕니다.",
        input_schema=_object(
            price_krw={"type": "integer", "minimum": 0, "maximum": 10**12, "description": "부가세를 포함한 금액(원)"}
        ),
        output_schema=_object(supply_krw=_COUNT, vat_krw=_COUNT),
        annotations=_HINTS,
        call=divide_price,
    ),
)

_REPLY = Prompt(
    name="polite_reply",
    title="정중한 답장",
    description="받은 글에 정중하게 답하는 글을 씁니다.",
    arguments=(
        PromptArgument(name="message", title="받은 글"),
        PromptArgument(name="tone", title="말투", description="비우면 해요체", is_required=False),
    ),
)
_REPORT = Prompt(
    name="weekly_report",
    title="주간 보고",
    description="한 일을 주간 보고로 정리합니다.",
    arguments=(PromptArgument(name="work", title="한 일", description="한 줄에 하나씩"),),
)


class DemoService(Service):
    info = ServerInfo(
        name="promptjang-demo",
        version="1.0.0",
        title="내 컴퓨터의 데모 서버",
        description="프롬프트장에 딸린 작은 MCP 서버예요.",
    )
    instructions = "Small tools for Korean texts, dates and amounts. They compute and reach nothing outside."
    tools = TOOLS

    def list_prompts(self, after: str | None) -> PromptPage:
        if after is not None:  # there is one page
            raise BadParams("unknown cursor")
        return PromptPage((_REPLY, _REPORT))

    def get_prompt(self, name: str, values: Mapping[str, str]) -> PromptText:
        prompt = {_REPLY.name: _REPLY, _REPORT.name: _REPORT}.get(name)
        if prompt is None:
            raise BadParams("unknown prompt")
        prompt.check_values(values)
        return PromptText([("user", _fill(name, values))], description=prompt.description)


def _fill(name: str, values: Mapping[str, str]) -> str:
    if name == _REPORT.name:
        ask = "아래 한 일을 주간 보고로 정리해 주세요. 결과, 다음 주 계획, 도움이 필요한 일의 순서로요."
        return f"{ask}\n\n{values['work']}"
    tone = values.get("tone") or "해요체"
    return f"아래 글에 {tone}로 정중하게 답장을 써 주세요.\n\n{values['message']}"
