"""The languages of the interface and their gettext catalogs.

English texts are the msgids, so only the other languages have catalogs: `locale/LANGUAGE/*.po`, one file for each
place of the site. They are read at the start: nothing has to be compiled, and nothing compiled can be out of date.
"""

from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations


class Language(StrEnum):
    """A language of the interface; the value is its code in HTML and in the database."""

    RU = "ru"
    EN = "en"

    @property
    def own_name(self) -> str:
        return {"ru": "Русский", "en": "English"}[self.value]


DEFAULT_LANGUAGE: Final = Language.RU


def language_of(code: str | None) -> Language:
    """The language of a stored code; the default for an unknown one."""
    return next((language for language in Language if language.value == code), DEFAULT_LANGUAGE)


def negotiate(accept_language: str) -> Language:
    """The first of ours by the weights of an `Accept-Language` header; the default where none is asked for."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        tag, _, weight = part.partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            quality = 0.0
        wanted.append((-quality, place, tag.strip().casefold().partition("-")[0]))
    known = {language.value for language in Language}
    ours = [tag for quality, _, tag in sorted(wanted) if quality < 0 and tag in known]
    return language_of(ours[0] if ours else None)


def marked(message: str) -> str:
    """Marks a text for the catalog where it is written; it is translated where it is shown."""
    return message


class Words:
    """One language's catalog. Values are given by name and stand as `%(name)s`."""

    def __init__(self, language: Language, translations: NullTranslations) -> None:
        self.language = language
        self.translations = translations

    def gettext(self, message: str, **values: object) -> str:
        text = self.translations.gettext(message) if message else ""
        return text % values if values else text

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        """`num` is the number itself unless given, for instance with its thousands apart."""
        text: str = self.translations.ngettext(one, many, number)
        return text % {"num": number, **values}

    def npgettext(self, context: str, one: str, many: str, number: int, **values: object) -> str:
        """Where another language has other forms for the same English words, `context` tells them apart."""
        text: str = self.translations.npgettext(context, one, many, number)
        return text % {"num": number, **values}


Catalogs = Mapping[Language, Words]


def _translations(language: Language) -> NullTranslations:
    folder = files("evosync") / "locale" / language.value
    if not folder.is_dir():
        return NullTranslations()
    whole = Catalog(locale=language.value)
    for source in sorted(folder.iterdir(), key=lambda source: source.name):
        if source.name.endswith(".po"):
            with source.open("rb") as file:
                for message in read_po(file, locale=language.value):
                    if message.id:
                        whole.add(message.id, message.string, context=message.context)
    compiled = BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return Translations(compiled)


def load_catalogs() -> Catalogs:
    return {language: Words(language, _translations(language)) for language in Language}
