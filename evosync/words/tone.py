"""Whose move it is: the four tones of the whole status language."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """A tone always comes with its icon and with words, never alone."""

    OK = "ok"
    """Nobody's move: all is well."""
    WE = "we"
    """EvoSync works or waits by itself."""
    YOU = "you"
    """The owner's move."""
    OFF = "off"
    """Nobody's, by choice."""

    @property
    def icon(self) -> str:
        return {"ok": "check", "we": "sync", "you": "bang", "off": "dash"}[self.value]


@dataclass(frozen=True, slots=True)
class Both:
    """A text in both languages. Values stand as `{name}` and are filled in already formatted."""

    ru: str
    en: str

    def said(self, language: str, /, **values: object) -> str:
        """In that language. A value that is missing shows as a dash: a page never breaks over a word."""
        text = self.ru if language == "ru" else self.en
        return text.format_map(_Dashed(values)) if "{" in text else text


class _Dashed(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "—"
