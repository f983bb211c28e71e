"""What the pages say, in Russian and in English."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["ru", "en"]

WORDS: Mapping[str, tuple[str, str]] = {
    "sandbox": ("Песочница", "Sandbox"),
    "imitation": ("имитация, не настоящий сервис", "an imitation, not the real service"),
    "tills": ("Кассы Эвотор", "Evotor tills"),
    "shops": ("Магазины VK", "VK shops"),
    "to_start": ("Все кассы и магазины", "All tills and shops"),
    "addresses": ("Адреса для сервиса", "Addresses for the service"),
    "traffic": ("Запросы с начала", "Requests so far"),
    "nothing": ("Пока пусто.", "Nothing here yet."),
    "other_language": ("In English", "По-русски"),
    "shop": ("Магазин VK", "VK shop"),
    "items": ("Товаров", "Items"),
    "on_show": ("На витрине", "On show"),
    "albums": ("Подборки", "Albums"),
    "everything": ("Все", "All"),
    "no_album": ("Без подборки", "In no album"),
    "find_item": ("Найти товар", "Find an item"),
    "find": ("Найти", "Find"),
    "with_hidden": ("показывать скрытые", "show hidden ones"),
    "hidden": ("Скрыт", "Hidden"),
    "out": ("Нет в наличии", "Out of stock"),
    "left": ("В наличии", "In stock"),
    "all_of": ("Смотреть все", "See all"),
    "none_found": ("Ничего не нашлось.", "Nothing found."),
    "empty_shop": ("В магазине пока нет товаров.", "The shop has no items yet."),
    "shop_off": ("Магазин в сообществе выключен.", "The shop of this community is switched off."),
    "live": ("Страница обновляется сама.", "This page updates itself."),
    "updated": ("Обновлено в", "Updated at"),
    "offline": ("Песочница не отвечает, жду.", "The sandbox does not answer, waiting."),
    "hidden_album": ("скрытая", "hidden"),
    "till": ("Касса Эвотор", "Evotor till"),
    "store": ("Магазин", "Store"),
    "stores": ("Магазины", "Stores"),
    "unpaid": (
        "Приложение не оплачено для этого магазина: облако отвечает 402.",
        "The app is not paid for this store: the cloud answers 402.",
    ),
    "pay": ("Оплатить", "Pay"),
    "stop_paying": ("Не платить (402)", "Stop paying (402)"),
    "group": ("Группа", "Group"),
    "inside": ("Внутри группы", "Inside group"),
    "groups": ("Группы", "Groups"),
    "root": ("Без группы", "No group"),
    "all_groups": ("Все группы", "All groups"),
    "find_product": ("Название или код", "Name or code"),
    "product": ("Товар", "Product"),
    "products": ("Товары", "Products"),
    "name": ("Название", "Name"),
    "price": ("Цена, ₽", "Price, ₽"),
    "unit": ("Единица", "Unit"),
    "stock": ("Остаток", "Stock"),
    "description": ("Описание", "Description"),
    "save": ("Сохранить", "Save"),
    "off_sale": ("Снять с продажи", "Take off sale"),
    "on_sale": ("Вернуть в продажу", "Put on sale"),
    "not_sold": ("Не продаётся", "Not for sale"),
    "delete": ("Удалить", "Delete"),
    "new_product": ("Новый товар", "New product"),
    "new_group": ("Новая группа", "New group"),
    "add": ("Добавить", "Add"),
    "rename": ("Переименовать", "Rename"),
    "empty_store": ("В магазине нет товаров.", "The store has no products."),
    "page": ("Страница", "Page"),
    "of": ("из", "of"),
    "previous": ("Назад", "Back"),
    "next": ("Дальше", "Next"),
    "pages": ("Страницы", "Pages"),
    "note_saved": ("Сохранено.", "Saved."),
    "note_off": ("Снято с продажи.", "Taken off sale."),
    "note_on": ("Снова в продаже.", "On sale again."),
    "note_added": ("Добавлено.", "Added."),
    "note_deleted": ("Удалено.", "Deleted."),
    "note_renamed": ("Переименовано.", "Renamed."),
    "note_paid": ("Готово.", "Done."),
    "note_bad_number": (
        "Не сохранено: цена и остаток пишутся числом, например 199,90.",
        "Not saved: price and stock are numbers, for example 199.90.",
    ),
    "note_bad_name": ("Не сохранено: нужно название.", "Not saved: a name is needed."),
    "note_gone": ("Этого уже нет.", "It is gone already."),
    "not_found": ("Такого здесь нет.", "There is no such thing here."),
}


def say(language: Language, key: str) -> str:
    """The words for ``key``.

    Raises:
        KeyError: nobody wrote them.
    """
    return WORDS[key][0 if language == "ru" else 1]


def preferred(accept: str) -> Language:
    """The language of an ``Accept-Language`` header: Russian unless English is wanted more."""
    best: Language = "ru"
    weight = 0.0
    for part in accept.lower().split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            value = float(quality) if quality else 1.0
        except ValueError:
            value = 0.0
        if value <= weight:
            continue
        if tag.startswith("ru"):
            best, weight = "ru", value
        elif tag.startswith("en"):
            best, weight = "en", value
    return best
