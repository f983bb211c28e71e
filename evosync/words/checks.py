"""What a test of a connection says: its steps, and the cards of a key that is only being tried."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from evosync.words.errors import UNKNOWN, Card, card_of
from evosync.words.tone import Both, Tone

STEPS: Final[Mapping[str, Both]] = {
    "key": Both("Ключ действует, это {name}", "The key works, this is {name}"),
    "rights": Both("Права на товары, фото и сообщества есть", "Rights to products, photos and communities"),
    "community": Both(
        "Вы администратор или редактор «{community}», «Магазин» включён, цены в рублях",
        "You may edit “{community}”; Shop is on; prices are in roubles",
    ),
    "reading": Both("Витрина читается: {items}, {albums}", "The shop can be read: {items}, {albums}"),
    "writing": Both("Писать можно (проверили, ничего не меняя)", "Writing is allowed (nothing was changed)"),
}
"""A step that is good, by its name (`Check` of the website)."""

FAILED_STEPS: Final[Mapping[str, Both]] = {
    "key": Both("Ключ не подошёл", "The key does not work"),
    "rights": Both("Не хватает прав", "A right is missing"),
    "community": Both("С сообществом не вышло", "The community cannot be used"),
    "reading": Both("Витрина не читается", "The shop cannot be read"),
    "writing": Both("Писать нельзя", "Writing is not allowed"),
}

AFTER: Final = Both("Остальное проверим после этого", "The rest: checked after that")
"""For the steps that were not reached."""

RIGHTS: Final[Mapping[str, Both]] = {
    "market": Both("товары", "products"),
    "photos": Both("фото", "photos"),
    "groups": Both("сообщества", "communities"),
}
"""VK's names of rights."""

_NOTHING: Final = Both("Ничего не сохранили и не записали.", "Nothing was saved or written.")
_LATER: Final = Both("Попробуйте ещё раз чуть позже.", "Try again a little later.")
_KEY_COPIED: Final = Both(
    "Он скопирован не целиком, отозван или истёк.", "It was not copied whole, was withdrawn or ran out."
)

_TRIAL: Final[Mapping[str, Card]] = {
    card.codes[0]: card
    for card in (
        Card(
            codes=("VK 5",),
            tone=Tone.YOU,
            title=Both("ВКонтакте не принял этот ключ", "VK does not accept this key"),
            cause=_KEY_COPIED,
            does=_NOTHING,
            you=Both(
                "Получите новый ключ и вставьте его целиком, можно вместе с адресом.",
                "Get a new key and paste all of it; the whole address will do.",
            ),
        ),
        Card(
            codes=("VK 7",),
            tone=Tone.YOU,
            title=Both("Это сообщество ключ менять не может", "The key may not edit this community"),
            cause=Both(
                "Тот, чей это ключ, в сообществе не администратор и не редактор, или «Магазин» закрыт.",
                "Whoever the key belongs to is no administrator or editor there, or Shop is closed.",
            ),
            does=_NOTHING,
            you=Both(
                "Возьмите ключ администратора сообщества или дайте этому человеку права.",
                "Take the key of an administrator, or give this person the rights.",
            ),
        ),
        Card(
            codes=("no_community",),
            tone=Tone.YOU,
            title=Both("Такого сообщества нет", "There is no such community"),
            cause=Both(
                "ВКонтакте не знает сообщества с таким номером или именем.",
                "VK knows no community of that number or name.",
            ),
            does=_NOTHING,
            you=Both(
                "Скопируйте ссылку из строки адреса на странице сообщества.",
                "Copy the link from the address bar on the community's page.",
            ),
        ),
        Card(
            codes=("deactivated",),
            tone=Tone.YOU,
            title=Both("Сообщество закрыто ВКонтакте", "VK has closed the community"),
            cause=Both("Оно удалено или заблокировано.", "It is deleted or blocked."),
            does=_NOTHING,
            you=Both("Восстановите его или подключите другое.", "Restore it or connect another one."),
        ),
        Card(
            codes=("Evotor 401",),
            tone=Tone.YOU,
            title=Both("Эвотор не принял этот ключ", "Evotor does not accept this key"),
            cause=_KEY_COPIED,
            does=_NOTHING,
            you=Both(
                "Скопируйте ключ в кабинете Эвотора ещё раз, целиком.",
                "Copy the key from your Evotor account once more, all of it.",
            ),
        ),
        Card(
            codes=("Evotor 403",),
            tone=Tone.YOU,
            title=Both("Эвотор не дал прав", "Evotor gives no right"),
            cause=Both(
                "Приложение не установлено, или ему не разрешили читать магазины и товары.",
                "The app is not installed, or may not read stores and products.",
            ),
            does=_NOTHING,
            you=Both(
                "Установите EvoSync в кабинете Эвотора и разрешите чтение товаров.",
                "Install EvoSync in your Evotor account and allow reading products.",
            ),
        ),
        Card(
            codes=("Evotor 404",),
            tone=Tone.WE,
            title=Both("Эвотор не нашёл магазинов", "Evotor found no stores"),
            cause=Both("Для этого ключа их нет.", "There are none for this key."),
            does=_NOTHING,
            you=Both("Проверьте, что ключ от вашего аккаунта.", "See that the key is of your account."),
        ),
    )
}

CLAIMED: Final[Mapping[str, Card]] = {
    "evotor": Card(
        codes=("claimed",),
        tone=Tone.YOU,
        title=Both("Эта касса уже подключена в другом аккаунте", "This till is connected in another account"),
        cause=Both(
            "Один аккаунт Эвотора ведёт один владелец в EvoSync, чтобы двое не правили одно и то же.",
            "One owner in EvoSync has one Evotor account, so that two do not edit the same.",
        ),
        does=_NOTHING,
        you=Both(
            "Отключите её в том аккаунте. Он не ваш? Напишите нам.",
            "Disconnect it in that account. Not yours? Write to us.",
        ),
    ),
    "vk": Card(
        codes=("claimed",),
        tone=Tone.YOU,
        title=Both("Это сообщество уже подключено в другом аккаунте", "This community is connected in another account"),
        cause=Both(
            "Одно сообщество ведёт один владелец в EvoSync, иначе две кассы спорили бы за одну витрину.",
            "One owner in EvoSync has a community, or two tills would fight for one shop.",
        ),
        does=_NOTHING,
        you=Both(
            "Отключите его в том аккаунте. Он не ваш? Напишите нам.",
            "Disconnect it in that account. Not yours? Write to us.",
        ),
    ),
}
"""By the side's name."""

UNREADABLE: Final = Card(
    codes=("unreadable",),
    tone=Tone.YOU,
    title=Both("Ключ больше не открывается", "The key does not open any more"),
    cause=Both(
        "Ключи лежат у нас зашифрованными, и этот не расшифровать: на сервере сменили секрет.",
        "Keys are kept encrypted, and this one cannot be decrypted: the server's secret was changed.",
    ),
    does=Both("Витрину не трогаем.", "Leaves your shop alone."),
    you=Both("Вставьте ключ ещё раз.", "Paste the key again."),
)


def stored_card(code: str) -> Card:
    """For a key that is in use; a code that EvoSync deals with by itself has a card here too."""
    if code == "unreadable":
        return UNREADABLE
    if code in {"no_community", "deactivated"}:
        return _TRIAL[code]
    return card_of(code) or UNKNOWN


def trial_card(code: str) -> Card:
    """For a key that is only being tried: nothing runs yet, so nothing was stopped and nothing repairs itself."""
    if code in _TRIAL:
        return _TRIAL[code]
    card = card_of(code) or UNKNOWN
    return replace(card, does=_NOTHING, you=_LATER if card.tone is Tone.WE else card.you, button=None, action=None)
