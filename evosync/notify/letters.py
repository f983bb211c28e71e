"""A letter of the outbox as text and HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2

from evosync.words.errors import card_of
from evosync.words.format import Format, zone_of
from evosync.words.language import Catalogs, language_of
from evosync.words.letters import BARE_GREETING, FOOTER, GREETING, LETTERS, SMS, SWITCHES, Kind
from evosync.words.tone import Both


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """Ready to be sent. It may hold a link that lets its reader in: never to be logged."""

    number: int
    to: str
    subject: str
    text: str
    html: str
    language: str

    def __repr__(self) -> str:
        return f"Letter({self.number})"


_PRICE: Final = "_kopecks"


class Renderer:
    """Fills in the words of letters."""

    def __init__(self, templates: Path, catalogs: Catalogs, *, base_url: str) -> None:
        self._catalogs = catalogs
        self._base_url = base_url
        self._html = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates / "mail"), autoescape=True, undefined=jinja2.StrictUndefined
        ).get_template("letter.html")

    @property
    def host(self) -> str:
        return urlsplit(self._base_url).hostname or "localhost"

    def letter(
        self,
        number: int,
        kind: Kind,
        *,
        to: str,
        language: str,
        zone: str,
        values: Mapping[str, Any],
        link: str | None,
        now: datetime,
    ) -> Letter:
        """`values` as stored: numbers bare, prices `…_kopecks`, times (`…_at`) in ISO form, `code` for a card's."""
        words = LETTERS[kind]
        filled = self._filled(values, language, zone, now)
        greeting = GREETING if filled.get("name") else BARE_GREETING
        before = [greeting.said(language, **filled), *_said(words.before, language, filled)]
        after = _said(words.after, language, filled)
        footer = [FOOTER.said(language)]
        if words.notice:
            footer.append(SWITCHES.said(language, link=f"{self._base_url}/profile"))
        address = link or f"{self._base_url}{words.path}"
        button = words.button.said(language)
        subject = words.subject.said(language, **filled)
        text = "\n\n".join([*before, f"{button}:\n{address}", *after, "-- \n" + "\n".join(footer)]) + "\n"
        html = self._html.render(
            language=language,
            subject=subject,
            before=before,
            button=button,
            address=address,
            after=after,
            footer=footer,
            base_url=self._base_url,
        )
        return Letter(number, to, subject, text, html, language)

    def sms(self, *, language: str, zone: str, values: Mapping[str, Any], link: str, now: datetime) -> str:
        return SMS.said(language, link=link, **self._filled(values, language, zone, now))

    def _filled(self, values: Mapping[str, Any], language: str, zone: str, now: datetime) -> dict[str, str]:
        form = Format(self._catalogs[language_of(language)], zone_of(zone), now)
        filled = {name.removesuffix(_PRICE): _shown(name, value, form) for name, value in values.items()}
        card = card_of(str(values["code"])) if values.get("code") else None
        if card is not None:
            for name, part in (("title", card.title), ("cause", card.cause), ("you", card.you)):
                filled.setdefault(name, part.said(language, **filled))
        return filled


def _shown(name: str, value: Any, form: Format) -> str:
    if name.endswith("_at") and isinstance(value, str):
        return form.until(datetime.fromisoformat(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return form.price(value) if name.endswith(_PRICE) else form.number(value)
    return str(value)


def _said(parts: tuple[Both, ...], language: str, values: Mapping[str, str]) -> list[str]:
    return [text for part in parts if (text := part.said(language, **values)).strip(" —")]
