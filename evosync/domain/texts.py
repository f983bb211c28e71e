"""Names and descriptions: what VK takes, and how titles are compared.

The rules (VK FACTS 2): a name has 4 to 100 characters as VK counts them, a description at least 10,
neither holds markup, a description holds no links. Names too long are cut at a word with an ellipsis,
descriptions too short get the name in front.
"""

import html
import re
import unicodedata
from collections import Counter
from functools import lru_cache

NAME_MIN = 4
NAME_MAX = 100
DESCRIPTION_MIN = 10
DESCRIPTION_MAX = 3000
ALBUM_MAX = 128
ELLIPSIS = "…"
FILLER = "Подробности уточняйте у продавца."

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->", re.DOTALL)
_DOMAIN = r"\.(?:ru|рф|su|com|net|org|info|biz|me|io|app|shop|online|site|store|club|top|by|kz|ua|cc|link)\b"
_LINK = re.compile(
    rf"(?:https?://|www\.)\S+|(?:[\w.+-]+@)?\b[\w-]+(?:\.[\w-]+)*{_DOMAIN}(?:/\S*)?",
    re.IGNORECASE,
)
_LINK_SIGN = re.compile(rf"://|www\.|{_DOMAIN}", re.IGNORECASE)
"""Cheap to look for; few texts hold a link."""
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\s*\n\s*\n\s*")
_DEAREST = 10  # `&#1114111;`
_COSTS = {'"': 5, "'": 5, "&": 5, "!": 5, "<": 4, ">": 4, "$": 6, "\\": 6}


def fold(title: str) -> str:
    """The form in which two titles are compared: case and runs of white space do not count."""
    return " ".join(unicodedata.normalize("NFC", title).casefold().split())


def fold_for_search(text: str) -> str:
    """What people look for and order by: as `fold`, and «ё» is «е», for hardly anybody types it."""
    return fold(text).replace("ё", "е")


def fold_vk(title: str) -> str:
    """`fold` of a title as VK gives it back, which may come with HTML entities."""
    return fold(html.unescape(title) if "&" in title else title)


@lru_cache(maxsize=1024)
def _cost(char: str) -> int:
    cost = _COSTS.get(char)
    if cost is not None:
        return cost
    if ord(char) > 0x7F:
        try:
            char.encode("cp1251")
        except UnicodeEncodeError:
            return len(str(ord(char))) + 3
    return 1


def vk_length(text: str) -> int:
    """Length as VK counts: in cp1251 and after HTML escaping; what cp1251 lacks becomes `&#number;`."""
    return sum(_cost(char) * times for char, times in Counter(text).items())


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def _visible(text: str) -> str:
    """Without control, format and surrogate characters; joiners inside emoji stay."""
    if text.isprintable():
        return text
    odd = [char for char in set(text) if not char.isprintable() and char not in "\n\u200d"]
    drop = {ord(char): None for char in odd if unicodedata.category(char) in _INVISIBLE}
    return text.translate(drop) if drop else text


def _plain(text: str) -> str:
    """Markup and entities resolved; spoilt, repeatedly escaped entities too."""
    for _ in range(5):
        if "&" not in text:
            break
        unescaped = html.unescape(text)
        if unescaped == text:
            break
        text = unescaped
    return _TAG.sub(" ", text) if "<" in text else text


def clean_name(raw: str) -> str:
    """The till's name in one line, without markup and invisible characters."""
    return " ".join(_visible(_plain(raw).replace("\n", " ").replace("\t", " ").replace("\r", " ")).split()).strip(
        "\u200d "
    )


def shorten(text: str, limit: int) -> str:
    """At most `limit` as VK counts, cut at a word where there is one near, with an ellipsis."""
    if len(text) * _DEAREST <= limit or vk_length(text) <= limit:
        return text
    room = limit - vk_length(ELLIPSIS)
    end = used = 0
    for char in text:
        used += _cost(char)
        if used > room:
            break
        end += 1
    cut = text[:end]
    space = cut.rfind(" ")
    if space > end * 2 // 3:
        cut = cut[:space]
    return cut.rstrip(" ,.;:-\u200d") + ELLIPSIS


def vk_name(raw: str, *, limit: int = NAME_MAX) -> tuple[str | None, bool]:
    """The item's name and whether it was shortened; None where it cannot reach VK's minimum.

    The minimum is held in plain characters: whether VK counts a short name escaped is not known.
    """
    name = clean_name(raw)
    if len(name) < NAME_MIN:
        return None, False
    short = shorten(name, limit)
    return short, short != name


def clean_description(raw: str) -> str:
    """The till's description without markup, links and invisible characters; line breaks stay.

    Empty where nothing but punctuation is left: tills hold texts such as ". ".
    """
    text = _plain(raw.replace("\r\n", "\n").replace("\r", "\n"))
    if _LINK_SIGN.search(text):
        text = _LINK.sub(" ", text)
    text = _visible(text.replace("\t", " "))
    lines = (_SPACES.sub(" ", line).strip() for line in _BLANK_LINES.sub("\n\n", text).split("\n"))
    clean = "\n".join(lines).strip()
    return clean if any(map(str.isalnum, clean)) else ""


def price_phrase(grams: int) -> str:
    """Says for how much the price of goods sold by the gram is."""
    return f"Цена за {grams} г."


_PHRASE = re.compile(r"\s*Цена за (\d{1,6}) г\.\s*")


def named_grams(seen: str) -> int:
    """The amount that a description as VK gives it back begins with, 0 for none."""
    found = _PHRASE.match(seen)
    return int(found[1]) if found else 0


def rephrased(seen: str, grams: int) -> str:
    """A description as VK gives it back, its beginning naming `grams`, or no amount for 0."""
    text = _PHRASE.sub("", html.unescape(seen), count=1) if named_grams(seen) else html.unescape(seen)
    if not grams:
        return _long_enough(text)
    return shorten(f"{price_phrase(grams)}\n{text}", DESCRIPTION_MAX)


def _long_enough(text: str) -> str:
    return text if len(text) >= DESCRIPTION_MIN else f"{text}. {FILLER}".lstrip(". ")


def vk_description(raw: str, *, name: str, grams: int = 0) -> tuple[str, bool]:
    """The item's description and whether it had to be completed.

    Never shorter than VK's minimum, never longer than `DESCRIPTION_MAX`.
    """
    text = clean_description(raw) if raw else ""
    padded = False
    if len(text) < DESCRIPTION_MIN:
        padded = True
        front = clean_description(name)  # a name may hold what a description may not: a link
        text = _long_enough(f"{front}. {text}" if text and front and text != front else text or front)
    if grams:
        text = f"{price_phrase(grams)}\n{text}"
    return shorten(text, DESCRIPTION_MAX), padded


def album_title(raw: str, *, fallback: str) -> str:
    """The title of a group's album."""
    return shorten(clean_name(raw) or fallback, ALBUM_MAX)
