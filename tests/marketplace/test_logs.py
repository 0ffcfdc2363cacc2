"""No key reaches a log or a report of an error: neither of a signed link nor of a program."""

import io
import logging

import pytest
from django.test import RequestFactory
from django.views.debug import get_exception_reporter_class

from marketplace.logs import HideLinks

TOKEN = "pm_" + "aB3_-" * 8 + "xyz"


@pytest.fixture
def lines():
    """A logger like the site's, and what it writes."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(HideLinks())
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, written


@pytest.mark.parametrize(
    ("message", "arguments", "told"),
    [
        ("Not Found: %s", [f"/mcp/{TOKEN}"], "Not Found: /mcp/pm_…"),
        ("%s and %s", [TOKEN, "more"], "pm_… and more"),
        (f"Bearer%20{TOKEN}", [], "Bearer%20pm_…"),
        (f"the beginning {TOKEN[:30]}", [], "the beginning pm_…"),
        ("Not Found: /sell/application/abc:def/", [], "Not Found: /sell/application/…/"),
        ("pm_short stays, 100% of it", [], "pm_short stays, 100% of it"),
    ],
)
def test_a_line_tells_no_key(lines, message, arguments, told):
    logger, written = lines

    logger.warning(message, *arguments)

    assert written.getvalue() == f"WARNING {told}\n"


def test_nor_does_what_an_exception_says(lines):
    logger, written = lines
    try:
        raise ValueError(f"broken header: Bearer {TOKEN}")
    except ValueError:
        logger.exception("it failed")

    assert "broken header: Bearer pm_…" in written.getvalue()
    assert TOKEN not in written.getvalue()


def test_nor_does_the_report_of_an_error(settings):
    request = RequestFactory().post(
        "/mcp?token=" + TOKEN, {"text": TOKEN}, headers={"authorization": f"Bearer {TOKEN}"}
    )
    request.COOKIES["stray"] = TOKEN
    for settings.DEBUG in (False, True):
        try:
            held = {"in a variable": TOKEN}
            raise ValueError(f"{held} and {request.GET}")
        except ValueError as error:
            reporter = get_exception_reporter_class(request)(request, type(error), error, error.__traceback__)

        reports = [reporter.get_traceback_text(), reporter.get_traceback_html()]
        assert [report for report in reports if TOKEN in report or TOKEN[3:] in report] == []
        assert all("in a variable" in report for report in reports)
