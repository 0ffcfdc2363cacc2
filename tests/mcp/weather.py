"""A server with everything that a page can show of one, for tests in a browser."""

from datetime import timedelta

from django.utils import timezone

from catalog.models import Prompt
from mcp.models import HealthCheck, Incident, McpServer, ServerDay, Tool, ToolChange, ToolNeed
from mcp.registry.registration import refresh_search_text
from mcp.uptime import seoul_day
from tests.factories import make_server

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "도시 이름. 예: 서울"},
        "unit": {"enum": ["C", "F"], "default": "C"},
        "filter": {
            "type": "object",
            "properties": {"a_very_long_name_of_a_parameter_without_spaces": {"type": "array"}},
        },
    },
    "required": ["city"],
}


def make_weather_server(*, needed_by: Prompt | None = None) -> McpServer:
    """Checked a minute ago and found working; down for an hour three days ago; one tool changed silently."""
    now = timezone.now()
    server = make_server(
        slug="weather",
        name="한국 날씨",
        description="전국 도시의 예보와 경보를 알려 줘요.",
        endpoint="https://weather.example/mcp",
        last_health_check=now - timedelta(minutes=1),
        entry={
            "health": "working",
            "verdict": "ok",
            "health_since": now - timedelta(days=3),
            "latency_ms": 184,
            "transport": "streamable-http",
            "protocol_version": "2026-07-28",
            "tool_count": 2,
            "prompt_count": 1,
            "uptime_30d_bp": 9_987,
            "website_url": "https://weather.example/about",
            "required_settings": [
                {"name": "X-Api-Key", "description": "기상 서비스의 키", "isRequired": True, "isSecret": True}
            ],
        },
    )
    hints = {"readOnlyHint": True, "openWorldHint": True}
    fields = {"server": server, "input_schema": SCHEMA, "description": "날씨를 알려 줘요."}
    Tool.objects.create(name="get_weather", title="날씨 보기", annotations=hints, position=0, **fields)
    Tool.objects.create(name="delete_alert", annotations={"destructiveHint": True}, position=1, **fields)
    refresh_search_text(server)
    HealthCheck.objects.create(server=server, checked_at=now - timedelta(minutes=1), verdict="ok", health="working")
    today = seoul_day(now)
    for age, down_count in [(0, 0), (1, 0), (3, 4), (9, 96)]:
        day = today - timedelta(days=age)
        counts = {"check_count": 96, "up_count": 96 - down_count, "down_count": down_count}
        ServerDay.objects.create(server=server, day=day, **counts)
    began = now - timedelta(days=3, hours=1)
    Incident.objects.create(server=server, started_at=began, ended_at=began + timedelta(hours=1), verdict="timeout")
    ToolChange.objects.create(
        server=server,
        tool_name="get_weather",
        kind="description",
        before="날씨를 저장하지 않고 알려 줘요.",
        after="날씨를 알려 줘요.",
        is_silent=True,
        seen_at=now - timedelta(days=1),
    )
    schemas = {"before": '{"type": "object"}', "after": '{"type": "object", "required": ["city"]}'}
    change = {"tool_name": "get_weather", "kind": "schema", "server_version": "1.2.0", "seen_at": now}
    ToolChange.objects.create(server=server, **schemas, **change)
    if needed_by:
        ToolNeed.objects.create(prompt=needed_by, server=server, server_slug="weather", tool_name="get_weather")
    return server
