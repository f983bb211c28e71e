"""What people paste into the connection forms."""

from datetime import UTC, datetime, timedelta

import pytest

from evosync.accounts.pasted import KeyRefused, NotACommunity, NotAKey, read_community, read_key

REDIRECT = "https://oauth.vk.com/blank.html#access_token=vk1.a.abc-DEF_123&expires_in={}&user_id=7"


@pytest.mark.parametrize(
    "text",
    [
        "123", "-123", "club123", "public123", "event123", "Club123", " 123 ", "vk.com/club123", "https://vk.com/club123",
        "http://m.vk.com/public123/", "https://vk.ru/club123?w=product-123_4", "vk.com/-123", "https://vk.com/market-123",
        "https://vk.com/market-123?screen=cart",
    ],
)  # fmt: skip
def test_a_community_is_known_in_every_spelling_of_its_number(text: str) -> None:
    assert read_community(text) == 123


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("vk.com/lavka_sad", "lavka_sad"),
        ("https://vk.com/Lavka.Sad?from=x", "lavka.sad"),
        ("@lavka_sad", "lavka_sad"),
        ("lavka_sad", "lavka_sad"),
    ],
)
def test_a_short_name_is_left_for_vk_to_tell(text: str, name: str) -> None:
    assert read_community(text) == name


@pytest.mark.parametrize(
    "text",
    ["", "0", "club0", "моя лавка", "https://example.com/club1", "vk.com/", "1" * 13, "a b", "-", "12-3", "x" * 51],
)
def test_what_names_no_community_is_refused(text: str) -> None:
    with pytest.raises(NotACommunity):
        read_community(text)


def test_a_bare_key_is_taken_as_it_is_and_has_no_term() -> None:
    key = read_key("  vk1.a.abc-DEF_123\n")
    assert (key.secret, key.lifetime) == ("vk1.a.abc-DEF_123", None)


def test_a_key_is_read_from_the_whole_address_with_its_term() -> None:
    key = read_key(REDIRECT.format(86400))
    assert (key.secret, key.lifetime) == ("vk1.a.abc-DEF_123", timedelta(days=1))
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert key.expires_at(at) == at + timedelta(days=1)


@pytest.mark.parametrize("seconds", ["0", "", "-5", "soon", "²"])
def test_a_key_for_ever_and_one_without_a_readable_term_do_not_end(seconds: str) -> None:
    assert read_key(REDIRECT.format(seconds)).lifetime is None


def test_a_term_of_centuries_stays_a_date() -> None:
    key = read_key(REDIRECT.format("9999999999"))
    assert key.expires_at(datetime(2026, 11, 22, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "two words", "ключ", "https://vk.com/club1", "https://oauth.vk.com/blank.html#access_token=",
        "a\nb", "https://oauth.vk.com/blank.html#code=abc", "https://x/#access_token=a%0d%0ab",
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NotAKey):
        read_key(text)


def test_a_refusal_of_vk_is_told_from_a_wrong_text() -> None:
    with pytest.raises(KeyRefused):
        read_key("https://oauth.vk.com/blank.html#error=access_denied&error_reason=user_denied")


def test_a_key_never_shows_itself() -> None:
    assert "secret-value" not in repr(read_key("secret-value"))
