"""What the tests of the studio share: forms as a browser sends them."""

import re
from html import unescape

from tests.catalog.pages import plain


def read_form(page) -> dict[str, list[str]]:
    """Every field of the page's editor with what it holds, as a browser would send it back untouched."""
    form = re.search(r'<form class="form"[^>]*method="post".*?</form>', page.text, re.DOTALL)[0]
    fields: dict[str, list[str]] = {}

    def add(name, value):
        fields.setdefault(name, []).append(unescape(value))

    for tag in re.findall(r"<input\b[^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        is_box = attributes.get("type") in ("checkbox", "radio")
        if "name" in attributes and (not is_box or re.search(r"\schecked\b", tag)):
            add(attributes["name"], attributes.get("value", ""))
    for name, text in re.findall(r'<textarea name="(\w+)"[^>]*>\r?\n?(.*?)</textarea>', form, re.DOTALL):
        add(name, text.replace("\r\n", "\n").replace("\n", "\r\n"))
    for name, options in re.findall(r'<select name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        add(name, re.search(r'<option value="([^"]*)" selected', options)[1])
    del fields["csrfmiddlewaretoken"]
    return fields


def send(client, page: str, /, **changes):
    """Open the page, change some fields, send the form."""
    return client.post(page, read_form(client.get(page)) | changes)


def complaints(page) -> str:
    """What the summary above the form says; empty without one."""
    found = re.search(r'<div class="problems".*?</div>', page.text, re.DOTALL)
    return plain(found[0]) if found else ""


def notices(page) -> list[str]:
    return [str(message) for message in page.context["messages"]]
