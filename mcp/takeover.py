"""Taking over `mcp_servers` of another program. See `marketplace/takeover.py`.

`config` may hold credentials, so the report never repeats what stands in it.
"""

from collections.abc import Callable
from datetime import datetime

from marketplace import reading
from marketplace.reading import Unreadable
from marketplace.takeover import OldDatabase, OldRow, Report, add_rows, take_table
from mcp.models import McpServer
from mcp.registry.registration import ensure_entries


def take_servers(*, source: OldDatabase, report: Report, now: datetime, on_progress: Callable[[int], None]) -> None:
    """now: stands in for a time that cannot be read. Each server is listed, as rows of `mcp_servers` always are."""

    def read_row(row: OldRow) -> McpServer:
        created_at = row.take("created_at", reading.read_time, default=now)
        return McpServer(
            id=row.need("id", reading.read_uuid),
            created_at=created_at,
            updated_at=row.take("updated_at", reading.read_time, default=created_at),
            name=row.need("name", reading.read_text),
            description=row.take("description", reading.read_text),
            endpoint=row.need("endpoint", reading.read_text),
            status=row.take("status", _read_status, default=McpServer.Status.INACTIVE.value),
            last_health_check=row.take("last_health_check", reading.read_time),
            config=row.take("config", lambda value: reading.read_json(value, dict, is_secret=True)),
            metadata=row.take("metadata", lambda value: reading.read_json(value, dict, is_secret=True)),
        )

    take_table(
        source=source,
        table="mcp_servers",
        read_row=read_row,
        add_batch=lambda wanted: add_rows(model=McpServer, table="mcp_servers", wanted=wanted, report=report),
        report=report,
        on_progress=on_progress,
    )
    ensure_entries(now=now)


def _read_status(value) -> str:
    status = reading.read_text(value).strip().casefold()
    if status not in McpServer.Status.values:
        raise Unreadable(f"{reading.describe(value)} is none of {', '.join(McpServer.Status.values)}")
    return status
