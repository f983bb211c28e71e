"""The error pages (the words' section 10): what happened, what holds all the same, and one way on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from evosync.words.tone import Both, Tone


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """`leads` is where the one button goes: home, the same page again, or the operator."""

    title: Both
    text: Both
    button: Both
    leads: str = "home"
    tone: Tone = Tone.OFF


_HOME: Final = Both("На главную", "Home")
_AGAIN: Final = Both("Повторить", "Try again")

ERRORS: Final[Mapping[str, ErrorWords]] = {
    "400": ErrorWords(
        Both("Не получилось прочитать запрос", "We could not read the request"),
        Both("Вернитесь на страницу и повторите.", "Go back to the page and repeat."),
        _HOME,
    ),
    "403": ErrorWords(
        Both("Сюда нельзя", "Not for your role"),
        Both("У вашей роли нет этого права.", "Your role does not have this right."),
        _HOME,
    ),
    "stale": ErrorWords(
        Both("Страница устарела", "This page is too old"),
        Both(
            "Вернитесь назад, обновите её и повторите: введённое осталось в полях.",
            "Go back, reload it and repeat: what you typed is still in the fields.",
        ),
        Both("На главную", "Home"),
    ),
    "404": ErrorWords(
        Both("На этой полке пусто", "This shelf is empty"),
        Both(
            "Страницы нет, или она вам не видна. С витриной всё в порядке: она обновляется сама.",
            "No such page, or not yours. Your shop is fine.",
        ),
        _HOME,
    ),
    "413": ErrorWords(
        Both("Слишком много сразу", "Too much at once"),
        Both("Отправьте меньше.", "Send less."),
        _HOME,
    ),
    "429": ErrorWords(
        Both("Слишком быстро", "Too fast"),
        Both("Подождите {wait} и попробуйте ещё раз.", "Wait {wait} and try again."),
        _AGAIN,
        leads="again",
    ),
    "500": ErrorWords(
        Both("Мы что-то уронили", "We dropped something"),
        Both(
            "Уже знаем и чиним. Витрина обновляется отдельно, с ней ничего не случилось.",
            "We know and are fixing it. Your shop is not affected.",
        ),
        _AGAIN,
        leads="again",
    ),
    "503": ErrorWords(
        Both("Мы ненадолго прервались", "We are back in a moment"),
        Both(
            "Витрина в порядке, ваши данные целы. Попробуйте через минуту.",
            "Your shop is fine and your data is safe. Try again in a minute.",
        ),
        _AGAIN,
        leads="again",
        tone=Tone.WE,
    ),
    "vk": ErrorWords(
        Both("ВКонтакте сейчас не отвечает", "VK does not answer"),
        Both("Ваши данные целы, обновление продолжится само.", "Your data is safe; updates go on by themselves."),
        _AGAIN,
        leads="again",
        tone=Tone.WE,
    ),
    "suspended": ErrorWords(
        Both("Аккаунт приостановлен", "Account suspended"),
        Both(
            "Обновления остановлены, карточки на витрине остались. Напишите нам.",
            "Updates are stopped, listings stay. Write to us.",
        ),
        Both("Написать", "Write"),
        leads="support",
    ),
}


def error_text(kind: str, language: str, *, wait: str = "") -> str:
    """Title and sentence in one, for answers that are no page."""
    words = ERRORS[kind]
    return f"{words.title.said(language)}. {words.text.said(language, wait=wait)}"
