"""Where a product stands, as its owner reads it: the pill, the reason beside it, and whose move it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from evosync.domain.status import Standing, Status
from evosync.words.tone import Both, Tone

_NOTHING: Final = Both("", "")


@dataclass(frozen=True, slots=True)
class StatusWords:
    """`reason` may need values (`{group}`, `{code}` …); see `reason_of`."""

    tone: Tone
    pill: Both
    reason: Both = _NOTHING
    short: Both | None = None
    """The reason where the values of the full one are not known."""


_IN_VK: Final = Both("На витрине", "In VK")
_HIDDEN: Final = Both("Скрыт", "Hidden")
_NOT_SHOWN: Final = Both("Не показываем", "Not shown")

FIELDS: Final[Mapping[str, Both]] = {
    "price": Both("цена", "price"),
    "stock": Both("остаток", "stock"),
    "name": Both("название", "name"),
    "description": Both("описание", "description"),
    "album": Both("подборка", "collection"),
    "photo": Both("картинка", "picture"),
    "category": Both("категория", "category"),
    "sku": Both("артикул", "article number"),
}
"""Fields of an item by our own names; VK's parameter names are translated by `field_name`."""

_VK_FIELDS: Final[Mapping[str, str]] = {
    "main_photo_id": "photo",
    "photo_ids": "photo",
    "stock_amount": "stock",
    "category_id": "category",
    "album_ids": "album",
    "title": "name",
}

KINDS: Final[Mapping[str, Both]] = {
    "alcohol": Both("алкоголь", "alcohol"),
    "beer": Both("пиво", "beer"),
    "tobacco": Both("табак и никотин", "tobacco and nicotine"),
    "medicine": Both("лекарства", "medicine"),
    "lottery": Both("лотереи", "lottery"),
}
"""Kinds of goods that a marketplace may refuse (`domain.kinds.RISKY`)."""

STATUSES: Final[Mapping[Standing, StatusWords]] = {
    Standing.IN_STEP: StatusWords(Tone.OK, _IN_VK),
    Standing.IN_STEP_SHORTENED: StatusWords(
        Tone.OK,
        _IN_VK,
        Both("название сокращено: VK берёт до 100 знаков", "name shortened: VK takes up to 100 characters"),
    ),
    Standing.IN_STEP_PADDED: StatusWords(
        Tone.OK,
        _IN_VK,
        Both(
            "описание дополнено: VK просит хотя бы 10 знаков",
            "description completed: VK wants at least 10 characters",
        ),
    ),
    Standing.IN_STEP_WEIGHT: StatusWords(
        Tone.OK,
        _IN_VK,
        Both("цена за {grams} г: на кассе товар взвешивается", "price per {grams} g: sold by weight at the till"),
        Both("на кассе товар взвешивается", "sold by weight at the till"),
    ),
    Standing.IN_STEP_NO_ALBUM: StatusWords(
        Tone.OK,
        _IN_VK,
        Both("без подборки: мест в подборках больше нет", "without a collection: there is no room in them"),
    ),
    Standing.SOLD_OUT: StatusWords(
        Tone.OK, Both("Нет в наличии", "Sold out"), Both("остаток на кассе закончился", "no stock left at the till")
    ),
    Standing.WAIT_CREATE: StatusWords(
        Tone.WE,
        Both("Добавляем", "Adding"),
        Both("карточка появится через {time}", "will appear in {time}"),
        Both("карточка появится в ближайшее обновление", "will appear with the next update"),
    ),
    Standing.WAIT_CHANGE: StatusWords(
        Tone.WE,
        Both("Ждёт очереди", "In line"),
        Both("{fields}: перенесём через {time}", "{fields}: will follow in {time}"),
        Both(
            "изменился на кассе, перенесём в ближайшее обновление", "changed at the till, follows with the next update"
        ),
    ),
    Standing.WAIT_CHECK: StatusWords(
        Tone.WE,
        Both("Проверяем", "Checking"),
        Both("связь прервалась, смотрим, записалось ли", "the line broke; checking whether VK has it"),
    ),
    Standing.WAIT_VK: StatusWords(
        Tone.WE,
        Both("VK просит паузу", "VK asks to wait"),
        Both("продолжим в {time}", "goes on at {time}"),
        Both("продолжим, когда VK разрешит", "goes on when VK allows it"),
    ),
    Standing.HIDDEN_NOT_FOR_SALE: StatusWords(
        Tone.OFF,
        Both("Нет в наличии", "Sold out"),
        Both(
            "снят с продажи на кассе, вернём сам, когда вернёте вы",
            "off sale at the till; comes back when you put it back",
        ),
    ),
    Standing.HIDDEN_GONE: StatusWords(Tone.OFF, _HIDDEN, Both("товара больше нет на кассе", "no longer at the till")),
    Standing.LEFT_GONE: StatusWords(
        Tone.OFF,
        Both("Не меняем", "Left as is"),
        Both("товара нет на кассе, карточку вы просили оставить", "gone from the till; you asked to keep the listing"),
    ),
    Standing.HIDDEN_OFF: StatusWords(
        Tone.OFF, _HIDDEN, Both("вы выключили его группу или магазин", "you switched its group or store off")
    ),
    Standing.OFF_GROUP: StatusWords(
        Tone.OFF,
        _NOT_SHOWN,
        Both("группа «{group}» выключена", "group “{group}” is off"),
        Both("группа выключена", "its group is off"),
    ),
    Standing.OFF_STORE: StatusWords(
        Tone.OFF,
        _NOT_SHOWN,
        Both("магазин «{store}» выключен", "store “{store}” is off"),
        Both("магазин выключен", "its store is off"),
    ),
    Standing.NEW_GROUP: StatusWords(
        Tone.YOU,
        Both("Новая группа", "New group"),
        Both("решите, показывать ли «{group}»", "decide whether to show “{group}”"),
        Both("решите, показывать ли её", "decide whether to show it"),
    ),
    Standing.OFF_NEVER_SOLD: StatusWords(
        Tone.OFF, _NOT_SHOWN, Both("не продаётся на кассе", "not for sale at the till")
    ),
    Standing.ZERO_PRICE: StatusWords(
        Tone.YOU, Both("Цена ноль", "Price is zero"), Both("укажите цену на кассе", "set a price at the till")
    ),
    Standing.SHORT_NAME: StatusWords(
        Tone.YOU,
        Both("Короткое название", "Short name"),
        Both("VK просит хотя бы 4 знака", "VK wants at least 4 characters"),
    ),
    Standing.SAME_TITLE: StatusWords(
        Tone.YOU,
        Both("Два таких названия", "Two of that name"),
        Both("выберите, какая карточка от этого товара", "choose which listing is this product's"),
    ),
    Standing.RISKY_KIND: StatusWords(
        Tone.YOU,
        Both("Решите сами", "Up to you"),
        Both(
            "VK может не принять: {kind}. Разрешить можно в настройках",
            "VK may refuse {kind}. You can allow it in the settings",
        ),
        Both("VK может не принять такой товар", "VK may refuse goods of this kind"),
    ),
    Standing.REMOVED_IN_VK: StatusWords(
        Tone.YOU,
        Both("Удалён в VK", "Deleted in VK"),
        Both("карточку удалили в VK. Сделать новую?", "its listing was deleted in VK. Make a new one?"),
    ),
    Standing.REJECTED: StatusWords(
        Tone.YOU,
        Both("VK отклонил", "VK refused it"),
        Both("модератор: «{text}»", "moderator: “{text}”"),
        Both("модератор не сказал почему", "the moderator gave no reason"),
    ),
    Standing.REFUSED_FIELD: StatusWords(
        Tone.YOU,
        Both("VK не принял", "Not accepted"),
        Both("не подошло поле «{field}»", "the field “{field}” was refused"),
        Both("не подошло одно из полей", "one of the fields was refused"),
    ),
    Standing.BAD_PHOTO: StatusWords(
        Tone.YOU,
        Both("Фото не подошло", "Photo refused"),
        Both("нужно от 400×400 точек, JPG или PNG", "400×400 or more, JPG or PNG"),
    ),
    Standing.SHOP_FULL: StatusWords(
        Tone.YOU,
        Both("Нет места", "No room"),
        Both("на витрине {limit} карточек, это предел VK", "{limit} listings is VK's limit"),
        Both("витрина заполнена до предела VK", "the shop has reached VK's limit"),
    ),
    Standing.STORE_UNPAID: StatusWords(
        Tone.YOU,
        Both("Магазин не оплачен", "Store not paid"),
        Both(
            "в Эвоторе EvoSync стоит не на всех кассах «{store}»", "in Evotor, EvoSync is not on all tills of “{store}”"
        ),
        Both("в Эвоторе EvoSync стоит не на всех кассах", "in Evotor, EvoSync is not on all tills"),
    ),
    Standing.FAILED: StatusWords(
        Tone.YOU,
        Both("Не вышло", "Did not work"),
        Both("{title}", "{title}"),
        Both("VK не записал, причина неизвестна", "VK did not take it, the cause is not known"),
    ),
}
"""Every standing that there is."""

YOURS: Final = StatusWords(
    Tone.OFF,
    Both("Ваша карточка", "Your listing"),
    Both("вы сделали её сами, мы её не меняем", "made by you; we do not touch it"),
)
"""A VK item that follows no product."""


def field_name(parameter: str) -> Both:
    """The name of a field, ours or VK's; one that we do not know is shown as VK spells it."""
    name = _VK_FIELDS.get(parameter, parameter)
    return FIELDS.get(name, Both(parameter, parameter))


def reason_of(status: Status, language: str, **names: object) -> str:
    """The sentence beside the pill. `names` override the stored values, which are ids and bare numbers.

    Pages hand in what only they know: `store` as a name, `time` formatted, `fields` as a list, `title` of the
    error card. With one of the sentence's values unknown the shorter sentence stands.
    """
    words = STATUSES[status.standing]
    values: dict[str, object] = dict(status.values)
    if "field" in values:
        values["field"] = field_name(str(values["field"])).said(language)
    if "kind" in values:
        values["kind"] = KINDS.get(str(values["kind"]), Both("такие товары", "such goods")).said(language)
    values = {key: value for key, value in (values | names).items() if value not in {"", None}}
    needed = _names(words.reason.ru)
    if words.short is not None and not needed <= values.keys():
        return words.short.said(language)
    return words.reason.said(language, **values)


def _names(template: str) -> set[str]:
    return {part.partition("}")[0] for part in template.split("{")[1:]}
