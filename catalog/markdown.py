"""Descriptions: Markdown that sellers and other programs write, as HTML that is safe on our pages."""

import re

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_LENGTH = 50_000  # characters; what is longer is cut
LINK_REL = "nofollow ugc noopener"
TAGS = {
    *(
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
    ),
    *("table", "tbody", "td", "th", "thead", "tr", "ul"),
}

_parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_parser.disable("image")  # pictures of a prompt stand in `image_urls`; here one would only report who reads the page


def render_markdown(text: str | None) -> SafeString:
    """HTML from Markdown, made safe twice: raw HTML is text to the parser, and what comes out passes a list of tags.

    Headings begin at the third level, below those of the page.
    """
    tokens = _parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    html = _parser.renderer.render(tokens, _parser.options, {})
    return mark_safe(
        nh3.clean(
            html,
            tags=TAGS,
            attributes={"a": {"href", "title"}, "ol": {"start"}},
            url_schemes={"http", "https", "mailto"},
            link_rel=LINK_REL,
        ).strip()
    )


def plain_summary(text: str | None, limit: int = 160) -> str:
    """The text without its marks, in one line of at most `limit` characters, cut between words where possible.

    Headings are left out when there is something else.
    """
    sentences, headings = [], []
    is_heading = False
    for token in _parse(text):
        if token.type in ("heading_open", "heading_close"):
            is_heading = token.type == "heading_open"
        elif token.type == "inline":
            (headings if is_heading else sentences).append(_plain(token))
        elif token.type in ("code_block", "fence"):
            sentences.append(token.content)
    line = " ".join(" ".join(sentences or headings).split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    if not line[limit - 1].isspace():
        cut = re.sub(r"\s\S*$", "", cut) if " " in cut[limit // 2 :] else cut
    return cut.rstrip(" ,.;:·") + "…"


def _parse(text: str | None) -> list[Token]:
    return _parser.parse((text or "")[:MAX_LENGTH])


def _plain(token: Token) -> str:
    parts = []
    for child in token.children or []:
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts)
