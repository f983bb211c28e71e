"""How a letter looks."""

from datetime import UTC, datetime

import pytest

from evosync import resources
from evosync.notify.letters import Letter, Renderer
from evosync.words.language import load_catalogs
from evosync.words.letters import LETTERS, Kind

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
VALUES = {
    "name": "Анна <b>",
    "who": "Пётр",
    "community": "Лавка на Садовой",
    "code": "VK 5",
    "since_at": "2026-11-20T19:14:00+00:00",
    "expires_at": "2026-11-24T09:30:00+00:00",
    "changed_at": "2026-11-22T09:30:00+00:00",
    "device": "Android, Chrome",
    "changed": 1260,
    "same": 1253,
    "total": 1260,
    "behind": 7,
    "caught_up": 61,
    "problems": 3,
}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(resources.templates(), load_catalogs(), base_url="https://shop.example.ru")


def letter(renderer: Renderer, kind: Kind, language: str, link: str | None = None, **values: object) -> Letter:
    return renderer.letter(
        7,
        kind,
        to="anna@example.com",
        language=language,
        zone="Europe/Moscow",
        values={**VALUES, **values},
        link=link,
        now=NOW,
    )


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_letter_is_whole_in_both_languages(renderer: Renderer, kind: Kind, language: str) -> None:
    made = letter(renderer, kind, language, link="https://shop.example.ru/x?token=T")
    for text in (made.subject, made.text, made.html):
        assert "{" not in text
        assert "—" not in text.replace("&mdash;", "—"), "a value was missing"
    assert made.text.count("https://shop.example.ru/x?token=T") == 1
    assert 'href="https://shop.example.ru/x?token=T"' in made.html
    assert f'<html lang="{language}">' in made.html


def test_html_says_the_same_words_as_the_text_and_no_markup_of_others(renderer: Renderer) -> None:
    made = letter(renderer, Kind.VK_BROKEN, "ru")
    assert "Здравствуйте, Анна <b>." in made.text
    assert "Анна &lt;b&gt;" in made.html
    assert "<b>" not in made.html
    for part in ("Лавка на Садовой", "1\u00a0260", "20\u00a0ноября, 22:14", "Ключ отозван или истёк"):
        assert part in made.text
        assert part in made.html


def test_without_a_name_the_greeting_is_bare(renderer: Renderer) -> None:
    assert letter(renderer, Kind.CONFIRM, "ru", name="").text.startswith("Здравствуйте.\n")
    assert letter(renderer, Kind.CONFIRM, "en", name="").text.startswith("Hello.\n")


def test_a_notice_says_where_to_switch_it_off_and_a_letter_about_safety_does_not(renderer: Renderer) -> None:
    for kind, words in LETTERS.items():
        text = letter(renderer, kind, "ru").text
        assert ("https://shop.example.ru/profile" in text) == bool(words.notice), kind


def test_the_button_of_a_letter_without_a_link_leads_to_its_page(renderer: Renderer) -> None:
    assert "Подключить заново:\nhttps://shop.example.ru/connections" in letter(renderer, Kind.VK_BROKEN, "ru").text


def test_times_stand_in_the_reader_s_zone(renderer: Renderer) -> None:
    assert "24 Nov, 12:30 pm" in letter(renderer, Kind.CONFIRM, "en").text.replace("\u00a0", " ")


def test_an_sms_is_short_and_holds_the_link(renderer: Renderer) -> None:
    text = renderer.sms(
        language="ru",
        zone="Europe/Moscow",
        values=VALUES,
        link="https://shop.example.ru/invite?token=" + "T" * 43,
        now=NOW,
    )
    assert text.startswith("EvoSync: задайте пароль по ссылке, до 24\u00a0ноября, 12:30: https://")
    assert len(text) < 201, "three parts of a Cyrillic SMS"


def test_a_letter_never_shows_itself_in_a_log(renderer: Renderer) -> None:
    assert repr(letter(renderer, Kind.RESET, "ru", link="https://x/?token=T")) == "Letter(7)"


@pytest.mark.parametrize(
    ("code", "said"),
    [("uninstalled", "Приложение EvoSync удалили"), ("subscription_over", "Подписка на EvoSync в Эвоторе закончилась")],
)
def test_a_till_that_is_switched_off_says_why_and_how_to_go_on(renderer: Renderer, code: str, said: str) -> None:
    made = letter(renderer, Kind.EVOTOR_PARKED, "ru", code=code)
    assert said in made.text
    assert "дальше мы сами" in made.text
    assert "https://shop.example.ru/connections" in made.text
