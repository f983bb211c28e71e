"""Why products wait for their owner, as cards: cause, what EvoSync does by itself, what is left for him."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from evosync.domain.status import Standing, Status
from evosync.words.errors import UNKNOWN, Action, Card, card_of
from evosync.words.tone import Both, Tone

CAUSES: Final[Mapping[Standing, Card]] = {
    Standing.ZERO_PRICE: Card(
        codes=(),
        tone=Tone.YOU,
        title=Both("Цена на кассе — ноль", "The price at the till is zero"),
        cause=Both(
            "Без цены карточка выглядела бы как «0 ₽», поэтому на витрину её не ставим.",
            "Without a price the listing would say “₽0”, so it is not put up.",
        ),
        does=Both(
            "Ждёт цену. Как только поставите, товар появится сам.",
            "Waits for a price. Once there is one, the product appears by itself.",
        ),
        you=Both("Укажите цены на кассе или в кабинете Эвотора.", "Set prices at the till or in your Evotor account."),
        button=Both("Перечитать кассу", "Read the till again"),
        action=Action.READ_TILL,
    ),
    Standing.SHORT_NAME: Card(
        codes=(),
        tone=Tone.YOU,
        title=Both("Слишком короткое название", "The name is too short"),
        cause=Both(
            "VK берёт карточки с названием от 4 знаков.", "VK takes listings with a name of 4 characters or more."
        ),
        does=Both("Пропускает такие товары, остальные идут.", "Skips these products; the others go on."),
        you=Both("Назовите товар на кассе подробнее.", "Give the product a longer name at the till."),
        button=Both("Перечитать кассу", "Read the till again"),
        action=Action.READ_TILL,
    ),
    Standing.SAME_TITLE: Card(
        codes=(),
        tone=Tone.YOU,
        title=Both("Одинаковые названия", "Two of the same name"),
        cause=Both(
            "На витрине уже есть ваши карточки с этим названием. Какая от какого товара, решать вам.",
            "Your shop already has listings of that name. Which is which product's, is yours to say.",
        ),
        does=Both("Не создаёт ещё одну и не угадывает.", "Makes no further one and does not guess."),
        you=Both("Выберите карточку для каждого товара.", "Choose the listing of each product."),
    ),
    Standing.RISKY_KIND: Card(
        codes=(),
        tone=Tone.YOU,
        title=Both("VK может не принять такой товар", "VK may refuse goods of this kind"),
        cause=Both(
            "Правила ВКонтакте запрещают или ограничивают продажу: {kind}.",
            "VK's rules forbid or restrict the sale of {kind}.",
        ),
        does=Both("Не показывает такие товары, пока вы не решите.", "Does not show them until you decide."),
        you=Both(
            "Уверены, что можно? Разрешите этот вид товаров в настройках.",
            "Sure that you may? Allow this kind in the settings.",
        ),
        button=Both("Открыть настройки", "Open the settings"),
        action=Action.SETTINGS,
    ),
    Standing.REMOVED_IN_VK: Card(
        codes=(),
        tone=Tone.YOU,
        title=Both("Карточку удалили в VK", "The listing was deleted in VK"),
        cause=Both(
            "Товар на кассе продаётся, а его карточки на витрине больше нет.",
            "The product is on sale at the till, but its listing is gone.",
        ),
        does=Both("Сам новую не делает: вдруг вы удалили её нарочно.", "Makes no new one: you may have meant it."),
        you=Both(
            "Нужен на витрине? Сделаем новую карточку. Не нужен? Выключите его группу.",
            "Wanted in VK? A new listing will be made. Not wanted? Switch its group off.",
        ),
        button=Both("Сделать новые карточки", "Make new listings"),
        action=Action.CHECK_AGAIN,
    ),
    Standing.REJECTED: Card(
        codes=(),
        tone=Tone.YOU,
        title=Both("VK отклонил карточку", "VK refused the listing"),
        cause=Both("Модератор VK: «{text}».", "VK's moderator: “{text}”."),
        does=Both(
            "Следит за ценой и остатком, решение модератора не трогает.",
            "Keeps price and stock up to date and leaves the moderator's decision alone.",
        ),
        you=Both(
            "Исправьте карточку в VK и отправьте её на повторную проверку.",
            "Mend the listing in VK and send it for another check.",
        ),
        button=Both("Открыть витрину в VK", "Open the shop in VK"),
        action=Action.OPEN_IN_VK,
    ),
    Standing.NEW_GROUP: Card(
        codes=(),
        tone=Tone.YOU,
        title=Both("Новая группа на кассе: «{group}»", "A new group at the till: “{group}”"),
        cause=Both("Она появилась после того, как вы выбирали группы.", "It appeared after you had chosen groups."),
        does=Both("Не показывает её, пока вы не решите.", "Does not show it until you decide."),
        you=Both("Включите группу или оставьте выключенной.", "Switch the group on, or leave it off."),
        button=Both("Выбрать группы", "Choose groups"),
        action=Action.CHOOSE_GROUPS,
    ),
}
"""Causes that are no cloud's error."""

_CODES: Final[Mapping[Standing, str]] = {
    Standing.REFUSED_FIELD: "VK 100",
    Standing.BAD_PHOTO: "VK 1433",
    Standing.SHOP_FULL: "VK 1405",
    Standing.STORE_UNPAID: "Evotor 402",
}
_RETRY: Final = Both("Попробовать снова", "Try again")


def cause_card(status: Status) -> Card:
    """The card for all products that stand so. Whatever may work the second time has a button for it."""
    own = CAUSES.get(status.standing)
    if own is not None:
        return own
    code = status.values.get("code", "")
    card = card_of(code) if status.standing is Standing.FAILED else card_of(_CODES[status.standing])
    card = card or UNKNOWN
    if status.standing in {Standing.FAILED, Standing.BAD_PHOTO, Standing.REFUSED_FIELD}:
        return replace(card, tone=Tone.YOU, button=_RETRY, action=Action.CHECK_AGAIN)
    return card
