"""Which messages the code and the templates have, against the catalogs. `python -m tests.words.messages` prints what
is missing, as lines for a .po file.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
KEYWORDS: dict[str, Any] = {**DEFAULT_KEYWORDS, "marked": None, "say": None}

Key = tuple[str | None, str]


def key_of(message: Any) -> Key:
    """Context and singular."""
    text = message.id[0] if isinstance(message.id, tuple) else message.id
    return message.context, text


@cache
def used() -> tuple[tuple[Key, str | None], ...]:
    """Each message of the code and the templates with its plural."""
    return tuple(_extracted())


def _extracted() -> Iterator[tuple[Key, str | None]]:
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]  # Babel has not typed it
    for folder in ("evosync", "templates"):
        mapping = [(pattern.removeprefix(f"{folder}/"), method) for pattern, method in methods]
        settings = {pattern.removeprefix(f"{folder}/"): value for pattern, value in options.items()}
        for _, _, message, _, context in extract_from_dir(ROOT / folder, mapping, settings, KEYWORDS):
            one, many = message if isinstance(message, tuple) else (message, None)
            if one:
                yield (context, one), many


def translated(language: str) -> set[Key]:
    found: set[Key] = set()
    for path in sorted((ROOT / "evosync" / "locale" / language).glob("*.po")):
        with path.open("rb") as file:
            found |= {key_of(message) for message in read_po(file, locale=language) if message.id}
    return found


def missing(language: str) -> list[str]:
    known = translated(language)
    found = {key: many for key, many in used() if key not in known}
    return [_entry(key, many) for key, many in sorted(found.items(), key=lambda item: item[0][1])]


def unused(language: str) -> set[Key]:
    return translated(language) - {key for key, _ in used()}


def _entry(key: Key, many: str | None) -> str:
    context, one = key
    lines = [f"msgctxt {_quoted(context)}"] if context else []
    lines.append(f"msgid {_quoted(one)}")
    if many is None:
        lines.append('msgstr ""')
    else:
        lines += [f"msgid_plural {_quoted(many)}", *(f'msgstr[{form}] ""' for form in range(3))]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


if __name__ == "__main__":
    print("\n".join(missing("ru")))  # noqa: T201 - a command for whoever writes texts
