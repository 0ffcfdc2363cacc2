"""Taking over `seller_waitlist` of another program. See `marketplace/takeover.py`."""

from collections.abc import Callable
from datetime import datetime

from marketplace import reading
from marketplace.takeover import OldDatabase, OldRow, Report, add_rows, take_table
from sellers.models import SellerApplication


def take_applications(
    *, source: OldDatabase, report: Report, now: datetime, on_progress: Callable[[int], None]
) -> None:
    """now: stands in for a time that cannot be read."""

    def read_row(row: OldRow) -> SellerApplication:
        return SellerApplication(
            id=row.need("id", reading.read_uuid),
            created_at=row.take("created_at", reading.read_time, default=now),
            name=row.take("name", reading.read_text, default=""),
            email=row.need("email", reading.read_text),
            portfolio_url=row.take("portfolio_url", reading.read_text),
            categories=row.take("categories", lambda value: reading.read_json(value, list), default=[]),
            message=row.take("message", reading.read_text),
            processed=row.take("processed", reading.read_boolean, default=False),
        )

    take_table(
        source=source,
        table="seller_waitlist",
        read_row=read_row,
        add_batch=lambda wanted: add_rows(
            model=SellerApplication, table="seller_waitlist", wanted=wanted, report=report
        ),
        report=report,
        on_progress=on_progress,
    )
