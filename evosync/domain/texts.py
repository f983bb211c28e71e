"""Names and descriptions: what VK takes, and how titles are compared."""

import unicodedata


def fold(title: str) -> str:
    """The form in which two titles are compared: case and runs of white space do not count."""
    return " ".join(unicodedata.normalize("NFC", title).casefold().split())
