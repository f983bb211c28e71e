"""Numbers, prices and times as the design writes them; a no-break space is written `_` here."""

from datetime import UTC, datetime, timedelta

import pytest

from evosync.words.format import Format, zone_of
from evosync.words.language import Catalogs, Language, language_of, load_catalogs, negotiate

NOW = datetime(2026, 11, 21, 11, 33, tzinfo=UTC)  # 14:33 in Moscow


@pytest.fixture(scope="module")
def catalogs() -> Catalogs:
    return load_catalogs()


@pytest.fixture
def ru(catalogs: Catalogs) -> Format:
    return Format(catalogs[Language.RU], zone_of("Europe/Moscow"), NOW)


@pytest.fixture
def en(catalogs: Catalogs) -> Format:
    return Format(catalogs[Language.EN], zone_of("Europe/Moscow"), NOW)


def plain(text: object) -> str:
    return str(text).replace("\u00a0", "_").replace("\u202f", "_")


@pytest.mark.parametrize(
    ("number", "russian", "english"),
    [(0, "0", "0"), (999, "999", "999"), (1260, "1_260", "1,260"), (-15000, "−15_000", "−15,000")],
)
def test_thousands_stand_apart(ru: Format, en: Format, number: int, russian: str, english: str) -> None:
    assert (plain(ru.number(number)), plain(en.number(number))) == (russian, english)


@pytest.mark.parametrize(
    ("kopecks", "russian", "english"),
    [
        (54999, "549,99_₽", "₽549.99"),
        (26800, "268_₽", "₽268"),
        (100000005, "1_000_000,05_₽", "₽1,000,000.05"),
        (0, "0_₽", "₽0"),
        (None, "—", "—"),
    ],
)
def test_kopecks_are_shown_where_there_are_any(
    ru: Format, en: Format, kopecks: int | None, russian: str, english: str
) -> None:
    assert (plain(ru.price(kopecks)), plain(en.price(kopecks))) == (russian, english)


def test_both_sides_of_a_diff_have_the_same_form(ru: Format) -> None:
    assert [plain(price) for price in ru.prices(26800, 27050)] == ["268,00_₽", "270,50_₽"]
    assert [plain(price) for price in ru.prices(26800, 27000)] == ["268_₽", "270_₽"]


@pytest.mark.parametrize(
    ("old", "new", "russian", "english"),
    [
        (9999, 11999, "+20_%", "+20%"),
        (91999, 89999, "−2_%", "−2%"),
        (100000, 100100, "+0,1_%", "+0.1%"),
        (1000000, 1000100, "+0,01_%", "+0.01%"),
        (500, 500, "0_%", "0%"),
        (0, 500, "", ""),
    ],
)
def test_a_change_has_its_sign_and_is_never_rounded_to_nothing(
    ru: Format, en: Format, old: int, new: int, russian: str, english: str
) -> None:
    assert (plain(ru.change(old, new)), plain(en.change(old, new))) == (russian, english)


@pytest.mark.parametrize(
    ("at", "russian", "english"),
    [
        (datetime(2026, 11, 21, 11, 2, tzinfo=UTC), "сегодня, 14:02", "today, 2:02_pm"),
        (datetime(2026, 11, 20, 16, 12, tzinfo=UTC), "вчера, 19:12", "yesterday, 7:12_pm"),
        (datetime(2026, 11, 20, 21, 30, tzinfo=UTC), "сегодня, 00:30", "today, 12:30_am"),
        (datetime(2026, 11, 12, 9, 0, tzinfo=UTC), "12_ноября", "12_Nov"),
        (datetime(2025, 3, 3, 9, 0, tzinfo=UTC), "3_марта_2025", "3_Mar_2025"),
        (datetime(2026, 11, 22, 9, 0, tzinfo=UTC), "завтра, 12:00", "tomorrow, 12:00_pm"),
    ],
)
def test_a_moment_is_told_as_people_tell_it_in_their_own_zone(
    ru: Format, en: Format, at: datetime, russian: str, english: str
) -> None:
    assert (plain(ru.moment(at)), plain(en.moment(at)).replace(" pm", "_pm").replace(" am", "_am")) == (
        russian,
        english,
    )


def test_a_moment_says_the_whole_time_to_machines_and_on_demand(ru: Format) -> None:
    moment = ru.moment(NOW - timedelta(hours=1))
    assert moment.iso == "2026-11-21T10:33:00+00:00"
    assert plain(moment.title) == "21_ноября_2026, 13:33 (UTC+3)"


@pytest.mark.parametrize(
    ("minutes", "russian", "english"),
    [
        (0, "только что", "just now"),
        (1, "1_минуту назад", "1 minute ago"),
        (2, "2_минуты назад", "2 minutes ago"),
        (5, "5_минут назад", "5 minutes ago"),
        (11, "11_минут назад", "11 minutes ago"),
        (21, "21_минуту назад", "21 minutes ago"),
        (60, "1_час назад", "1 hour ago"),
        (23 * 60, "23_часа назад", "23 hours ago"),
        (24 * 60, "вчера, 14:33", "yesterday, 2:33 pm"),
    ],
)
def test_how_long_ago_has_the_right_plurals(ru: Format, en: Format, minutes: int, russian: str, english: str) -> None:
    at = NOW - timedelta(minutes=minutes)
    assert (plain(ru.ago(at)), plain(en.ago(at)).replace("_", " ")) == (russian, english)


@pytest.mark.parametrize(
    ("length", "russian", "english"),
    [
        (timedelta(seconds=0.4), "0,4_с", "0.4 s"),
        (timedelta(seconds=4), "4_с", "4 s"),
        (timedelta(seconds=90), "1,5_мин", "1.5 min"),
        (timedelta(minutes=12), "12_мин", "12 min"),
        (timedelta(hours=2), "2_ч", "2 h"),
        (timedelta(days=3), "3_д", "3 d"),
    ],
)
def test_a_length_is_short(ru: Format, en: Format, length: timedelta, russian: str, english: str) -> None:
    assert (plain(ru.lasted(length)), en.lasted(length)) == (russian, english)


@pytest.mark.parametrize(
    ("left", "russian", "english"),
    [
        (None, "считаем, сколько осталось", "working out the time left"),
        (timedelta(seconds=20), "осталось меньше минуты", "less than a minute left"),
        (timedelta(seconds=60), "осталось около 1_минуты", "about 1 minute left"),
        (timedelta(seconds=61), "осталось около 2_минут", "about 2 minutes left"),
        (timedelta(minutes=61), "осталось около 2_часов", "about 2 hours left"),
        (timedelta(days=3), "осталось около 3_дней", "about 3 days left"),
    ],
)
def test_what_is_left_never_promises_too_much(
    ru: Format, en: Format, left: timedelta | None, russian: str, english: str
) -> None:
    assert (plain(ru.left(left)), en.left(left)) == (russian, english)


@pytest.mark.parametrize(
    ("length", "russian"),
    [
        (timedelta(seconds=0.2), "1_секунду"),
        (timedelta(seconds=22), "22_секунды"),
        (timedelta(seconds=60), "1_минуту"),
        (timedelta(minutes=15), "15_минут"),
        (timedelta(hours=5), "5_часов"),
    ],
)
def test_a_wait_follows_through(ru: Format, length: timedelta, russian: str) -> None:
    assert plain(ru.wait(length)) == russian


def test_an_unknown_zone_is_moscow() -> None:
    assert zone_of("Mars/Olympus").key == zone_of(None).key == zone_of("../../etc/passwd").key == "Europe/Moscow"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "ru"),
        ("en", "en"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("de-DE,en;q=0.7,ru;q=0.3", "en"),
        ("en;q=0.1,ru;q=0.2", "ru"),
        ("en;q=0", "ru"),
        ("de", "ru"),
        ("en;q=much", "ru"),
        ("*", "ru"),
    ],
)
def test_the_browser_s_language_is_the_reader_s(header: str, language: str) -> None:
    assert negotiate(header).value == language


def test_an_unknown_language_is_the_default() -> None:
    assert language_of("tlh") is language_of(None) is Language.RU
