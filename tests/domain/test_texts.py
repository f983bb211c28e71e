"""Names and descriptions as VK takes them (VK FACTS 2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evosync.domain.texts import (
    DESCRIPTION_MAX,
    FILLER,
    album_title,
    clean_description,
    clean_name,
    fold,
    fold_for_search,
    fold_vk,
    named_grams,
    price_phrase,
    rephrased,
    shorten,
    vk_description,
    vk_length,
    vk_name,
)
from tests.domain.model import as_vk_gives_back, vk_counts

GRIN, FAMILY = "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("char", "cost"),
    [("ж", 1), ("a", 1), ('"', 5), ("'", 5), ("&", 5), ("!", 5), ("<", 4), (">", 4), ("$", 6), ("\\", 6), (GRIN, 9)],
)
def test_a_character_costs_what_vk_counts_for_it(char: str, cost: int) -> None:
    assert vk_length(char * 3) == 3 * cost


@given(st.text(max_size=200))
def test_lengths_are_those_of_cp1251_after_escaping(text: str) -> None:
    text = "".join(char for char in text if not 0xD800 <= ord(char) < 0xE000)
    assert vk_length(text) == vk_counts(text)


@given(st.text(max_size=300))
def test_a_name_is_taken_by_vk_or_there_is_none(raw: str) -> None:
    name, _ = vk_name(raw)
    assert name is None or (len(name) >= 4 and vk_counts(name) <= 100 and "\n" not in name)


@given(st.text(max_size=300), st.text(min_size=4, max_size=40), st.sampled_from([0, 10]))
def test_a_description_is_never_too_short_nor_too_long(raw: str, name: str, grams: int) -> None:
    text, _ = vk_description(raw, name=name, grams=grams)
    assert len(text) >= 10
    assert vk_counts(text) <= DESCRIPTION_MAX


@pytest.mark.parametrize("name", ["Чай", " ab ", "", "\u200b\u200b\u200b\u200bЧай"])
def test_a_name_below_the_minimum_is_no_name(name: str) -> None:
    assert vk_name(name) == (None, False)


def test_a_name_too_long_is_cut_at_a_word_with_an_ellipsis() -> None:
    name, shortened = vk_name("Подарочный набор " * 8)
    assert shortened
    assert name == ("Подарочный набор " * 8)[:84].rstrip() + " Подарочный…" or (name or "").endswith("набор…")
    assert vk_counts(name or "") <= 100


def test_quotes_count_in_full_when_a_name_is_cut() -> None:
    name, shortened = vk_name('"' * 30)
    assert (shortened, vk_counts(name or "")) == (True, 96)


def test_emoji_count_in_full_even_in_a_text_that_looks_short() -> None:
    name, shortened = vk_name("Торт " + GRIN * 16)
    assert shortened
    assert vk_counts(name or "") <= 100


def test_emoji_joined_into_one_stay_joined() -> None:
    assert clean_name(f"Торт {FAMILY}") == f"Торт {FAMILY}"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  Чай   чёрный ", "Чай чёрный"),
        ("Чай\u00a0чёрный", "Чай чёрный"),
        ("Чай\n\tчёрный", "Чай чёрный"),
        ("Ч\u200bа\ufeffй\u00ad чёрный", "Чай чёрный"),
        ("<b>Чай</b> чёрный", "Чай чёрный"),
        ("Сыр &quot;Гауда&quot;", 'Сыр "Гауда"'),
        ("Сыр &#38#34;Гауда&#38amp;#38#34;", 'Сыр "Гауда"'),
        ("Соль & перец", "Соль & перец"),
        ("Вода, кальций <25 мг", "Вода, кальций <25 мг"),
        ("Чай \ud800чёрный", "Чай чёрный"),
    ],
)
def test_a_name_comes_in_one_plain_line(raw: str, clean: str) -> None:
    assert clean_name(raw) == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Смотрите https://shop.example/a?b=1 сейчас", "Смотрите сейчас"),
        ("Наш сайт www.example.org", "Наш сайт"),
        ("Пишите на info@магазин.рф", "Пишите на"),
        ("Группа vk.com/tea и t.me/tea", "Группа и"),
        ("0.5 л. Россия.Обжарка 3.2", "0.5 л. Россия.Обжарка 3.2"),
        ("<p>Первый</p><br/>второй", "Первый второй"),
        ("Первая\r\n\r\n\r\n\r\nвторая\rтретья", "Первая\n\nвторая\nтретья"),
        ("  много   пробелов  ", "много пробелов"),
        (". ", ""),
        ("\u200b", ""),
    ],
)
def test_a_description_holds_no_links_no_markup_and_no_spare_blanks(raw: str, clean: str) -> None:
    assert clean_description(raw) == clean


def test_a_short_description_gets_the_name_in_front() -> None:
    assert vk_description("Индия", name="Чай чёрный") == ("Чай чёрный. Индия", True)


def test_a_missing_description_is_the_name_and_completed_where_even_that_is_too_short() -> None:
    assert vk_description("", name="Чай чёрный листовой") == ("Чай чёрный листовой", True)
    assert vk_description("", name="Соль") == (f"Соль. {FILLER}", True)


def test_a_link_in_the_name_does_not_get_into_the_description() -> None:
    assert "shop.ru" not in vk_description("", name="Кружка shop.ru")[0]


def test_a_long_description_is_cut_as_vk_counts() -> None:
    text, padded = vk_description('Очень "вкусный" чай. ' * 200, name="Чай")
    assert not padded
    assert vk_counts(text) <= DESCRIPTION_MAX


def test_the_text_says_first_for_how_much_the_price_is() -> None:
    text, _ = vk_description("Вкусный чай из Индии", name="Чай", grams=10)
    assert text == "Цена за 10 г.\nВкусный чай из Индии"
    assert named_grams(as_vk_gives_back(text)) == 10


def test_the_amount_in_a_text_can_be_changed_and_taken_out_alone() -> None:
    seen = as_vk_gives_back(f'{price_phrase(10)}\nСыр "Гауда" от хозяина')
    assert rephrased(seen, 100) == 'Цена за 100 г.\nСыр "Гауда" от хозяина'
    assert rephrased(seen, 0) == 'Сыр "Гауда" от хозяина'
    assert named_grams("Дёшево! Цена за 10 г.") == 0


def test_a_search_takes_yo_for_ye() -> None:
    assert fold_for_search(" Ёлка  и е\u0308ж ") == fold_for_search("елка и еж")
    assert fold("Ёж") != fold("еж")


def test_titles_are_compared_without_case_and_runs_of_spaces_and_through_entities() -> None:
    assert fold("  ЧАЙ \u00a0 Чёрный") == fold("чай чёрный")
    assert fold_vk("Сыр &quot;ГАУДА&quot;") == fold('сыр "Гауда"')


def test_an_album_title_is_at_most_128_as_vk_counts_and_never_empty() -> None:
    assert vk_counts(album_title("Чай & кофе " * 30, fallback="Прочее")) <= 128
    assert album_title(" <b></b> ", fallback="Прочее") == "Прочее"


def test_what_fits_is_left_as_it_is() -> None:
    assert shorten("Чай", 100) == "Чай"
