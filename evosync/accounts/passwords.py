"""Which passwords are taken: length over ornament, and none that everybody tries first."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from evosync.words.language import marked

SHORTEST: Final = 10
LONGEST: Final = 200
"""Characters. Long ones are hashed first (`security.passwords`), so this only bounds the work."""

_RULE: Final = marked("10 characters or more, not a common one")
_TOO_LONG: Final = marked("200 characters at most")

# Stems that lists of leaked passwords are made of; a password that is nothing but one of them with figures and
# signs around it is common too.
_STEMS: Final = frozenset(
    {
        "password", "passw0rd", "p@ssword", "p@ssw0rd", "qwerty", "qwertyui", "qwertyuiop", "qwertyasdf",
        "asdfghjkl", "zxcvbnm", "asdfgh", "qazwsx", "qazwsxedc", "1q2w3e4r5t", "1q2w3e4r", "1qaz2wsx",
        "iloveyou", "welcome", "admin", "administrator", "letmein", "football", "princess", "sunshine",
        "superman", "dragon", "monkey", "master", "shadow", "michael", "jordan", "freedom", "whatever",
        "trustno1", "changeme", "secret", "test", "testtest", "login", "user", "abc", "abcdef", "abcdefgh",
        "abcdefghij", "abcd", "qwe", "qweasd", "qweasdzxc", "zxc", "asd", "пароль", "парольпароль", "йцукен",
        "йцукенгшщз", "фывапролдж", "ячсмить", "люблю", "любовь", "наташа", "привет", "приветпривет", "россия",
        "москва", "марина", "светлана", "максим", "вконтакте", "касса", "магазин", "витрина", "parol",
        "privet", "marina", "natasha", "lubov", "lyubov", "rossiya", "moskva", "maksim", "sergey", "ytrewq",
        "evosync", "evotor", "vkontakte", "эвотор", "gfhjkm", "ghbdtn", "yfnfif", "vfhbyf",
    }
)  # fmt: skip


def fault_of(password: str, *, near: Sequence[str] = ()) -> str | None:
    """What is wrong with a new password, as a msgid; None if it is taken. `near` are texts it must not be made of."""
    plain = unicodedata.normalize("NFC", password).casefold()
    if len(plain) > LONGEST:
        return _TOO_LONG
    if len(plain) < SHORTEST or len(set(plain)) < 5 or _is_common(plain) or _is_made_of(plain, near):
        return _RULE
    return None


def _is_common(plain: str) -> bool:
    if plain in _STEMS or _is_row(plain):
        return True
    core = plain.strip("0123456789!@#$%^&*()-_=+.,?; ")
    return not core or core in _STEMS or any(core == stem * 2 for stem in _STEMS)


def _is_row(plain: str) -> bool:
    """Neighbours one after the other, up or down: 1234567890, abcdefghij."""
    steps = {ord(b) - ord(a) for a, b in pairwise(plain)}
    return steps <= {1} or steps <= {-1} or plain in "01234567890123456789" or plain in "98765432109876543210"


def _is_made_of(plain: str, near: Sequence[str]) -> bool:
    core = plain.strip("0123456789!@#$%^&*()-_=+.,?; ")
    words = {text.casefold().strip() for text in near} | {text.casefold().partition("@")[0].strip() for text in near}
    return bool(core) and len(core) >= 3 and core in words
