"""What VK accepts as a text, and how it gives a text back."""

import html
import re
from typing import Literal

from evosync.sandbox.vk.errors import VkError, wrong

NAME_LOW, NAME_HIGH = 4, 100
DESCRIPTION_LOW = 10

COSTS = {'"': 5, "'": 5, "&": 5, "!": 5, "<": 4, ">": 4, "$": 6, "\\": 6}
LINK = re.compile(
    r"https?://|www\.|(?<![\w@.-])[\w-]+\.(?:ru|рф|com|net|org|su|info|biz|shop|store|online)(?![\w-])",
    re.IGNORECASE,
)


def length(name: str) -> int:
    """Length of a name as VK counts it: in cp1251 and after HTML escaping (VK FACTS 2).

    A character that cp1251 lacks is stored as a numeric entity and costs all its characters.
    """
    total = 0
    for character in name:
        if character in COSTS:
            total += COSTS[character]
        elif character.encode("cp1251", "ignore"):
            total += 1
        else:
            total += len(f"&#{ord(character)};")
    return total


def check_name(name: str) -> None:
    """Refuse names that are too short or too long.

    Raises:
        VkError: 100 for a name outside 4 to 100 characters, 1421 for one that is longer only as VK counts.
    """
    stripped = name.strip()
    if len(stripped) < NAME_LOW:
        raise wrong("name", f"is too short, at least {NAME_LOW}")
    if len(stripped) > NAME_HIGH:
        raise wrong("name", f"is too long, at most {NAME_HIGH}")
    if length(stripped) > NAME_HIGH:
        raise VkError(1421)


def check_description(description: str) -> None:
    """Refuse descriptions that are too short or hold a link.

    Raises:
        VkError: 100 or 1408.
    """
    if len(description.strip()) < DESCRIPTION_LOW:
        raise wrong("description", f"is too short, at least {DESCRIPTION_LOW}")
    if LINK.search(description):
        raise VkError(1408)


def read_back(text: str, *, style: Literal["raw", "mild", "entities"], one_line: bool) -> str:
    """The text as VK returns it later: not always the text that was sent."""
    if style == "raw":
        return text
    if one_line:
        text = re.sub(r"\s+", " ", text).strip()
    else:
        text = re.sub(r"[^\S\n]+", " ", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    return html.escape(text, quote=True) if style == "entities" else text
