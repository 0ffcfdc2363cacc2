"""Tags: what a seller or another program wrote, as the one form that lists and addresses use."""

import unicodedata

MAX_TAG_LENGTH = 40  # characters
MAX_TAGS = 12  # of one prompt


def normalize_tag(text) -> str:
    """NFC, lower case, single spaces, no leading `#`; empty for what is no tag."""
    if not isinstance(text, str):
        return ""
    plain = " ".join("".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text).split())
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", plain).lower())
    return folded.lstrip("#").strip()[:MAX_TAG_LENGTH].strip()


def normalize_tags(tags) -> list[str]:
    """Each tag once, in order. `prompts.tags` may hold anything that another program wrote."""
    if not isinstance(tags, list | tuple):
        return []
    return list(dict.fromkeys(tag for tag in map(normalize_tag, tags) if tag))[:MAX_TAGS]
