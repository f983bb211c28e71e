"""What people paste when they connect: a key bare or within an address, a community as a number, a name or a link."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs

from evosync.domain.ids import CommunityId

_NUMBER: Final = re.compile(r"(?:-|club|public|event)?([0-9]{1,12})", re.IGNORECASE)
_SHORT: Final = re.compile(r"(?=.*[a-z])[a-z0-9_.]{2,50}", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:https?://)?(?:www\.|m\.)?(?:vk\.(?:com|ru)|vkontakte\.ru)/", re.IGNORECASE)
_LONGEST_LIFE: Final = timedelta(days=36_500)


class NotAKey(ValueError):
    """Nothing in the text is an access token."""


class KeyRefused(NotAKey):
    """The address says that VK gave no key: the person declined, or the application may not ask."""


class NotACommunity(ValueError):
    """The text names no community."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """An access token as it was pasted; never shows itself. `lifetime` None: it does not end, or nobody said."""

    secret: str
    lifetime: timedelta | None = None

    def __repr__(self) -> str:
        return f"Key(…, {self.lifetime})"

    def expires_at(self, at: datetime) -> datetime | None:
        """When it ends, if it was given out at `at`."""
        return None if self.lifetime is None else at + self.lifetime


def read_key(text: str) -> Key:
    """A token, bare or within the whole address that VK redirected to, with how long it lives (`expires_in`).

    Raises `KeyRefused` where the address holds VK's refusal, else `NotAKey`.
    """
    text = text.strip()
    if "access_token=" in text:
        values = _values(text)
        secret, seconds = values.get("access_token", ""), values.get("expires_in", "")
        lives = timedelta(seconds=int(seconds)) if re.fullmatch(r"[1-9]\d{0,9}", seconds) else None
        return Key(_checked(secret), min(lives, _LONGEST_LIFE) if lives else None)
    if "error=" in text and "://" in text:
        raise KeyRefused
    if "://" in text:
        raise NotAKey
    return Key(_checked(text))


def _values(text: str) -> dict[str, str]:
    """Of the fragment or query of an address, or of `a=1&b=2` alone."""
    _, _, tail = text.rpartition("#" if "#" in text else "?")
    return {name: found[-1] for name, found in parse_qs(tail, keep_blank_values=True).items()}


def _checked(secret: str) -> str:
    # A header takes no other characters, and no cloud gives out any.
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise NotAKey
    return secret


def read_community(text: str) -> CommunityId | str:
    """A community by its number (123, -123, club123, public123, a link to one), or by its short name.

    Only VK knows the number of a short name. Raises `NotACommunity`.
    """
    text = text.strip()
    on_vk = _HOST.match(text)
    name = text.removeprefix("@")
    if on_vk:
        name = re.split("[?#]", text[on_vk.end() :])[0].strip("/")
        name = re.sub(r"^market(?=-\d)", "", name)  # a link to the shop itself
    number = _NUMBER.fullmatch(name)
    if number is not None and int(number[1]):
        return CommunityId(int(number[1]))
    if number is None and _SHORT.fullmatch(name):
        return name.lower()
    raise NotACommunity


__all__ = ["Key", "KeyRefused", "NotACommunity", "NotAKey", "read_community", "read_key"]
