"""Every text of the interface is said in Russian too, and in whole."""

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.words import messages

LOCALE = Path("evosync/locale")


def test_no_message_of_code_or_templates_lacks_its_russian() -> None:
    missing = messages.missing("ru")
    assert not missing, "python -m tests.words.messages prints them, ready for a .po file:\n" + "\n".join(missing)


def test_no_message_is_left_that_nobody_uses() -> None:
    assert not messages.unused("ru")


@pytest.mark.parametrize("path", sorted((LOCALE / "ru").glob("*.po")), ids=lambda path: path.name)
def test_every_message_is_translated_in_all_its_forms_with_its_values(path: Path) -> None:
    with path.open("rb") as file:
        catalog = read_po(file, locale="ru")
    for message in catalog:
        if not message.id:
            continue
        forms = tuple(message.string or ()) if message.pluralizable else (message.string,)
        assert all(forms), message.id
        assert len(forms) == (3 if message.pluralizable else 1), message.id
        assert not list(message.check(catalog)), message.id
        assert not message.fuzzy, message.id


def test_no_message_stands_in_two_files() -> None:
    seen: dict[tuple[str | None, str], str] = {}
    for path in sorted((LOCALE / "ru").glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="ru"):
                if not message.id:
                    continue
                key = messages.key_of(message)
                assert key not in seen, f"{key} in {seen.get(key)} and {path.name}"
                seen[key] = path.name
