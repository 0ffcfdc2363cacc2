"""Full-text index and ranking of prompts. (The index itself arrives with the next change.)"""


def index_prompt(prompt) -> None:
    """Bring the search index, tag rows and popularity of one prompt up to date. A second call changes nothing."""
