"""Parameters of a VK method as they come: all text, each read once with its type and limits."""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from evosync.sandbox.vk.errors import wrong

INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
ROUBLES = re.compile(r"[0-9]+(\.[0-9]+)?\Z")
MOST_ROUBLES = 999_999_999_999
GLOBAL = frozenset({"access_token", "v", "lang", "test_mode", "captcha_sid", "captcha_key", "success_token"})


class Params:
    """Reads typed values and remembers which names the method knows.

    Every reader raises VkError 100 that names the parameter when the text does not fit.
    """

    def __init__(self, raw: Mapping[str, str]) -> None:
        """Wrap the texts as sent."""
        self.raw = raw
        self.known: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Whether the parameter was sent at all."""
        self.known.add(name)
        return name in self.raw

    def unknown(self) -> set[str]:
        """Names that were sent and that the method never asked for."""
        return set(self.raw) - self.known - GLOBAL

    def text(self, name: str, *, low: int = 0, high: int | None = None) -> str | None:
        """A text of so many characters, or None when not sent."""
        if name not in self:
            return None
        value = self.raw[name]
        if len(value.strip()) < low:
            raise wrong(name, f"is too short, at least {low}")
        if high is not None and len(value) > high:
            raise wrong(name, f"is too long, at most {high}")
        return value

    def required_text(self, name: str, *, low: int = 0, high: int | None = None) -> str:
        """Like :meth:`text`, but it must be there and not empty."""
        value = self.text(name, low=low, high=high)
        if not value:
            raise wrong(name, "is undefined")
        return value

    def integer(self, name: str, *, low: int | None = None, high: int | None = None) -> int | None:
        """A whole number within limits, or None when not sent."""
        if name not in self:
            return None
        value = self.raw[name].strip()
        if not INTEGER.match(value):
            raise wrong(name, "should be integer")
        number = int(value)
        if low is not None and number < low:
            raise wrong(name, f"should be greater or equal to {low}")
        if high is not None and number > high:
            raise wrong(name, f"should be less or equal to {high}")
        return number

    def required_integer(self, name: str, *, low: int | None = None, high: int | None = None) -> int:
        """Like :meth:`integer`, but it must be there."""
        number = self.integer(name, low=low, high=high)
        if number is None:
            raise wrong(name, "is undefined")
        return number

    def flag(self, name: str) -> bool | None:
        """0 or 1, or None when not sent; words such as ``true`` are refused."""
        if name not in self:
            return None
        value = self.raw[name].strip()
        if value not in ("0", "1"):
            raise wrong(name, "should be 0 or 1")
        return value == "1"

    def kopecks(self, name: str) -> int | None:
        """Roubles with a decimal point, turned into kopecks; a comma is no float (VK FACTS 1)."""
        if name not in self:
            return None
        value = self.raw[name].strip()
        if not ROUBLES.match(value):
            raise wrong(name, "should be float")
        roubles = Decimal(value)
        if roubles > MOST_ROUBLES:
            raise wrong(name, f"should be less or equal to {MOST_ROUBLES}")
        return int((roubles * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))

    def ids(self, name: str, *, most: int | None = None) -> list[int] | None:
        """Comma-separated positive numbers, or None when not sent; an empty text is an empty list."""
        if name not in self:
            return None
        parts = [part.strip() for part in self.raw[name].split(",") if part.strip()]
        if not all(INTEGER.match(part) and int(part) >= 0 for part in parts):
            raise wrong(name, "should be a list of positive integers")
        if most is not None and len(parts) > most:
            raise wrong(name, f"has too many values, at most {most}")
        return [int(part) for part in parts]

    def required_ids(self, name: str, *, most: int | None = None) -> list[int]:
        """Like :meth:`ids`, but at least one."""
        numbers = self.ids(name, most=most)
        if not numbers:
            raise wrong(name, "is undefined")
        return numbers
