"""Taking over `prompts` of another program. See `marketplace/takeover.py`."""

from collections.abc import Callable
from datetime import datetime

from catalog.listings import adopt_prompts
from catalog.models import Prompt
from marketplace import reading
from marketplace.takeover import OldDatabase, OldRow, Report, add_rows, read_count, take_table


def take_prompts(*, source: OldDatabase, report: Report, now: datetime, on_progress: Callable[[int], None]) -> None:
    """Rows of `prompts`, then listing, version and place in the search index for each.

    A price decides what people pay, so a row whose price cannot be read is refused; broken tags cost only the tags.
    now: stands in for a time that cannot be read.
    """

    def read_row(row: OldRow) -> Prompt:
        description = row.take("description", reading.read_text)
        if description is None and "description" in row.values:
            row.report.note("prompts", "description", "NULL, kept", row.key)
        return Prompt(
            id=row.need("id", reading.read_uuid),
            created_at=row.take("created_at", reading.read_time, default=now),
            title=row.need("title", reading.read_text),
            description=description,
            price=row.need("price", lambda value: reading.read_integer(value, minimum=0)),
            prompt_text=row.need("prompt_text", reading.read_text, may_be_empty=True),
            image_urls=row.take("image_urls", lambda value: reading.read_json(value, list), default=[]),
            tags=row.take("tags", lambda value: reading.read_json(value, list), default=[]),
            rating=row.take("rating", reading.read_number, default=0.0),
            review_count=row.take("review_count", read_count, default=0),
            download_count=row.take("download_count", read_count, default=0),
            view_count=row.take("view_count", read_count, default=0),
            file_url=row.take("file_url", reading.read_text),
            is_published=row.take("is_published", reading.read_boolean, default=True),
        )

    take_table(
        source=source,
        table="prompts",
        read_row=read_row,
        add_batch=lambda wanted: add_rows(model=Prompt, table="prompts", wanted=wanted, report=report),
        report=report,
        on_progress=on_progress,
    )
    adopt_prompts(now=now)
