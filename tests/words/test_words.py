"""What owners read about statuses, errors and letters is there in both languages, and complete."""

import re
import string

import pytest

from evosync.domain.kinds import RISKY
from evosync.domain.status import NEEDS_OWNER, Standing, Status
from evosync.vk.faults import KINDS as VK_CODES
from evosync.words.errors import CARDS, SILENT, UNKNOWN, Action, Card, card_of
from evosync.words.letters import LETTERS, Kind
from evosync.words.pages import ERRORS
from evosync.words.statuses import FIELDS, KINDS, STATUSES, YOURS, field_name, reason_of
from evosync.words.texts import PRIVACY, PROMISES, TERMS
from evosync.words.tone import Both, Tone

CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


def check(text: Both) -> None:
    """Both languages say something, with the same values."""
    assert text.ru
    assert text.en
    assert not CYRILLIC.search(text.en), text.en
    assert names(text.ru) == names(text.en), text
    assert "  " not in text.ru + text.en


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("standing", Standing)
def test_every_standing_has_its_words(standing: Standing) -> None:
    words = STATUSES[standing]
    check(words.pill)
    if standing is not Standing.IN_STEP:
        check(words.reason)
    if names(words.reason.ru):
        assert words.short is not None, "a value may be missing"
        assert not names(words.short.ru)
        check(words.short)


@pytest.mark.parametrize("standing", Standing)
def test_the_tone_is_the_owner_s_exactly_where_it_is_his_move(standing: Standing) -> None:
    assert (STATUSES[standing].tone is Tone.YOU) == (standing in NEEDS_OWNER)


def test_a_listing_of_his_own_has_words_too() -> None:
    check(YOURS.pill)
    check(YOURS.reason)


def test_a_reason_is_filled_with_what_the_status_keeps() -> None:
    status = Status(Standing.OFF_GROUP, {"group": "Кофе"})
    assert reason_of(status, "ru") == "группа «Кофе» выключена"
    assert reason_of(status, "en") == "group “Кофе” is off"


def test_a_reason_without_its_values_is_shorter_and_never_broken() -> None:
    assert reason_of(Status(Standing.OFF_STORE, {}), "ru") == "магазин выключен"
    assert reason_of(Status(Standing.OFF_STORE, {"store": "id-1"}), "en", store="Park") == "store “Park” is off"
    assert reason_of(Status(Standing.WAIT_CHANGE), "en") == "changed at the till, follows with the next update"
    for standing in Standing:
        for language in ("ru", "en"):
            assert "{" not in reason_of(Status(standing), language)


def test_a_field_that_vk_names_is_called_as_owners_call_it() -> None:
    assert field_name("main_photo_id").ru == "картинка"
    assert field_name("name").ru == "название"
    assert field_name("something_new").ru == "something_new"
    status = Status(Standing.REFUSED_FIELD, {"field": "description", "code": "VK 100"})
    assert reason_of(status, "ru") == "не подошло поле «описание»"


def test_fields_and_kinds_of_goods_have_names() -> None:
    assert KINDS.keys() == RISKY.keys()
    for text in (*FIELDS.values(), *KINDS.values()):
        check(text)


@pytest.mark.parametrize("card", [*CARDS, UNKNOWN], ids=lambda card: ",".join(card.codes) or "unknown")
def test_every_card_says_all_in_both_languages(card: Card) -> None:
    for text in (card.title, card.cause, card.does, card.you):
        check(text)
    assert (card.button is None) == (card.action is None)
    if card.button is not None:
        check(card.button)
        # One may also say that an empty till is meant: the only button that need not be pressed.
        assert card.tone is Tone.YOU or card.action is Action.CONFIRM_EMPTY
    assert not card.title.ru.endswith(".")


@pytest.mark.parametrize("code", sorted(VK_CODES))
def test_every_code_that_vk_is_known_to_send_is_described_or_silent(code: int) -> None:
    card = card_of(f"VK {code}")
    assert (card is None) == (f"VK {code}" in SILENT)
    assert card is not UNKNOWN


@pytest.mark.parametrize(
    "code",
    [
        "400",
        "401",
        "402",
        "403",
        "404",
        "405",
        "406",
        "413",
        "422",
        "429",
        "500",
        "502",
        "time-out",
        "connection",
        "body",
    ],
)
def test_every_code_of_evotor_is_described(code: str) -> None:
    assert card_of(f"Evotor {code}") not in {None, UNKNOWN}


@pytest.mark.parametrize(
    "code",
    [
        *("VK HTTP 502", "VK HTTP 404", "VK 1", "VK timeout", "VK body", "VK cut", "VK unreachable", "VK shape"),
        *("VK upload", "VK resting", "Redis"),
    ],
)
def test_trouble_at_vk_is_never_the_owner_s_fault(code: str) -> None:
    card = card_of(code)
    assert card not in {None, UNKNOWN}
    assert card is not None
    assert card.tone is Tone.WE


def test_a_code_never_heard_of_is_ours_to_find_out() -> None:
    assert card_of("VK 99999") is UNKNOWN
    assert card_of("something else") is UNKNOWN
    assert UNKNOWN.tone is Tone.WE


def test_no_code_has_two_cards_and_none_is_both_described_and_silent() -> None:
    codes = [code for card in CARDS for code in card.codes]
    assert len(codes) == len(set(codes))
    assert not set(codes) & SILENT


@pytest.mark.parametrize("kind", Kind)
def test_every_letter_says_all_in_both_languages(kind: Kind) -> None:
    words = LETTERS[kind]
    for text in (words.subject, words.button, *words.before, *words.after):
        check(text)


@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_every_error_page_says_all_in_both_languages(kind: str) -> None:
    words = ERRORS[kind]
    for text in (words.title, words.text, words.button):
        check(text)
    assert words.tone is not Tone.YOU


@pytest.mark.parametrize("text", [PRIVACY, TERMS, PROMISES], ids=lambda text: str(text.title.en))
def test_every_text_to_be_read_is_whole_in_both_languages(text: object) -> None:
    assert text in {PRIVACY, TERMS, PROMISES}
    for part in getattr(text, "parts", ()):
        for line in (*part.lines, *part.points, *((part.title,) if part.title else ())):
            check(line)


def test_we_speak_calmly() -> None:
    said = [card.cause.ru + card.does.ru + card.you.ru + card.title.ru for card in CARDS]
    said += [words.title.ru + words.text.ru for words in ERRORS.values()]
    for text in said:
        assert not re.search(r"!|некорректн|невалид|произошла ошибка|операци|успешно|упс", text, re.IGNORECASE), text
