"""The state of the mirror in the head of each page, and the pictures that show it."""

from datetime import UTC, datetime

import pytest

from evosync.db.glance import Glance
from evosync.web.frame import state_pill
from evosync.web.pictures import DECORATION, Bar, gathered, picture
from evosync.words.format import Format, zone_of
from evosync.words.language import Catalogs, Language, load_catalogs

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalogs() -> Catalogs:
    return load_catalogs()


def glance(**values: object) -> Glance:
    return Glance(**{"evotor": "ok", "vk": "ok", "started_at": NOW, "last_outcome": "ok", **values})  # type: ignore[arg-type]  # a shorthand


@pytest.mark.parametrize(
    ("seen", "tone", "text"),
    [
        (Glance(), "off", "Ещё не запущено"),
        (glance(), "ok", "В ногу с кассой"),
        (glance(problems=7), "ok", "В ногу, кроме 7"),
        (glance(paused_at=NOW, problems=7), "off", "Пауза"),
        (glance(is_running=True, done=96, total=164), "we", "Обновляется, 58\u00a0%"),
        (glance(is_running=True), "we", "Обновляется"),
        (glance(is_running=True, paused_at=NOW), "we", "Обновляется"),
        (glance(vk="broken", is_running=True), "you", "Нужны вы"),
        (glance(evotor="broken", paused_at=NOW), "you", "Нужны вы"),
        (glance(last_outcome="held"), "you", "Нужны вы"),
        (glance(last_outcome="failed", last_code="VK 10"), "we", "VK медлит"),
        (glance(last_outcome="failed", last_code="VK HTTP 502"), "we", "VK медлит"),
        (glance(last_outcome="failed", last_code="Evotor 503"), "we", "Эвотор медлит"),
        (glance(last_outcome="failed", last_code="VK 7"), "you", "Нужны вы"),
        (glance(is_held_back=True), "we", "VK медлит"),
        (glance(last_outcome="failed", last_code="VK 10", paused_at=NOW), "off", "Пауза"),
        (Glance(evotor="broken"), "you", "Нужны вы"),
        (glance(unread=("Evotor 402",)), "you", "Нужны вы"),
        (glance(unread=("Evotor 500", "Evotor 404"), problems=7), "you", "Нужны вы"),
        (glance(unread=("Evotor 404",), last_outcome="failed", last_code="VK 10"), "you", "Нужны вы"),
        (glance(unread=("Evotor 500",)), "we", "Эвотор медлит"),
        (glance(unread=("Evotor 500",), last_outcome="failed", last_code="VK 10"), "we", "VK медлит"),
        (glance(unread=("Evotor 500",), last_outcome="failed", last_code="VK 7"), "you", "Нужны вы"),
        (glance(unread=("Evotor 404",), paused_at=NOW), "off", "Пауза"),
        (glance(unread=("Evotor 404",), is_running=True), "we", "Обновляется"),
    ],
)
def test_the_first_state_that_holds_is_shown(catalogs: Catalogs, seen: Glance, tone: str, text: str) -> None:
    words = catalogs[Language.RU]
    pill = state_pill(seen, words, Format(words, zone_of(None), NOW))
    assert (pill.tone.value, pill.text) == (tone, text)


def test_equal_sides_leave_no_gap() -> None:
    assert '<path class="gap" d=""/>' in picture.shelf([Bar(10, 10), Bar(3, 3)])


def test_one_missing_among_a_thousand_is_seen() -> None:
    drawn = picture.shelf([Bar(1000, 999)])
    gap = drawn.partition('class="gap" d="')[2].partition('"')[0]
    assert float(gap.partition("v")[2].partition("h")[0]) >= 46 * 0.15 - 0.1


def test_nothing_in_vk_is_all_gap() -> None:
    assert '<path class="show" d=""/>' in picture.shelf([Bar(5, 0)])
    assert '<path class="show" d=""/>' in picture.tile(5, 0)


def test_a_run_that_changed_nothing_is_an_empty_place() -> None:
    assert '<path class="till" d=""/>' in picture.runs([Bar(0, 0)], "никаких изменений")


def test_a_label_is_escaped_and_makes_the_picture_an_image() -> None:
    drawn = picture.shelf([Bar(1, 1)], 'Кофе "Lavazza" <25>')
    assert 'role="img" aria-label="Кофе &#34;Lavazza&#34; &lt;25&gt;"' in drawn
    assert 'aria-hidden="true"' in picture.shelf(DECORATION)


def test_many_groups_stand_together_at_the_end() -> None:
    bars = gathered([Bar(size, size) for size in range(1, 101)])
    assert len(bars) == 24
    assert bars[0] == Bar(100, 100)
    assert sum(bar.size for bar in bars) == 5050
