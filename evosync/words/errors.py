"""What is wrong, for its owner: cause, what EvoSync does by itself, what is left for him, one button.

A card is found by the code that an error carries ("VK 5", "Evotor 401", "VK HTTP 502"). Some codes have none,
because EvoSync deals with them and the owner never needs to know.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from evosync.words.tone import Both, Tone


class Action(StrEnum):
    """Where a card's button leads; the page knows the address."""

    RECONNECT = "reconnect"
    CHECK_AGAIN = "check_again"
    CONFIRM_IN_VK = "confirm_in_vk"
    OPEN_IN_VK = "open_in_vk"
    READ_TILL = "read_till"
    CHOOSE_GROUPS = "choose_groups"
    OPEN_STORES = "open_stores"
    CONFIRM_EMPTY = "confirm_empty"
    SETTINGS = "settings"
    SUPPORT = "support"
    DISMISS = "dismiss"


@dataclass(frozen=True, slots=True)
class Card:
    """`codes` as errors carry them; `does` is EvoSync's part, `you` the owner's. No `button`: nothing to press."""

    codes: tuple[str, ...]
    tone: Tone
    title: Both
    cause: Both
    does: Both
    you: Both
    button: Both | None = None
    action: Action | None = None


CARDS: Final[tuple[Card, ...]] = (
    Card(
        codes=("VK 1", "VK 10", "VK 36", "VK 5xx"),
        tone=Tone.WE,
        title=Both("VK ответил сбоем", "VK had a fault"),
        cause=Both("Серверы ВКонтакте не справились с запросом.", "VK's servers did not cope with the request."),
        does=Both(
            "Проверяем, записалось ли, и только потом повторяем. Двойников не будет.",
            "Checks whether it was written, and only then repeats. No doubles.",
        ),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("VK 2", "VK 28", "VK 38", "VK 101"),
        tone=Tone.WE,
        title=Both("VK не узнал EvoSync", "VK did not recognise EvoSync"),
        cause=Both(
            "ВКонтакте отключил наше приложение или сменил его настройки.",
            "VK switched our application off or changed its settings.",
        ),
        does=Both("Остановили запись у всех и уже разбираемся.", "Writing is stopped for everyone; we are on it."),
        you=Both("Ничего делать не нужно. Напишем, когда заработает.", "Nothing to do. We will write when it works."),
    ),
    Card(
        codes=("VK 3",),
        tone=Tone.WE,
        title=Both("В VK что-то поменялось", "Something changed in VK"),
        cause=Both(
            "ВКонтакте не знает команду, которой мы пользуемся, или у ключа нет права «Товары».",
            "VK does not know a command we use, or the key lacks the Market right.",
        ),
        does=Both("Остановили запись и проверяем у себя.", "Writing is stopped, we are checking on our side."),
        you=Both(
            "Если напишем вам, получите ключ с правом «Товары».", "If we write to you, get a key with the Market right."
        ),
    ),
    Card(
        codes=("VK 5",),
        tone=Tone.YOU,
        title=Both("ВКонтакте больше не пускает", "VK no longer lets us in"),
        cause=Both(
            "Ключ отозван или истёк: например, вы сменили пароль или вышли со всех устройств.",
            "The key was withdrawn or ran out: a new password, or “sign out everywhere”.",
        ),
        does=Both(
            "Один раз попробовали обновить ключ сами. Витрину не трогаем.",
            "Tried once to renew it. Leaves your shop alone.",
        ),
        you=Both("Подключите ВКонтакте заново, это 2 минуты.", "Connect VK again, two minutes."),
        button=Both("Подключить заново", "Connect again"),
        action=Action.RECONNECT,
    ),
    Card(
        codes=("VK 7", "VK 15", "VK 200", "VK 203", "VK 205", "VK no community"),
        tone=Tone.YOU,
        title=Both("Нет доступа к витрине", "No access to the shop"),
        cause=Both(
            "Вы больше не администратор и не редактор сообщества, или раздел «Магазин» закрыт.",
            "You are no longer an administrator or editor, or the Shop section is closed.",
        ),
        does=Both("Остановили запись, проверяем раз в час.", "Writing is stopped; checks every hour."),
        you=Both("Верните себе права в сообществе или включите «Магазин».", "Get your rights back or turn Shop on."),
        button=Both("Проверить снова", "Check again"),
        action=Action.CHECK_AGAIN,
    ),
    Card(
        codes=("VK 8",),
        tone=Tone.WE,
        title=Both("Мы ошиблись в запросе", "We asked wrongly"),
        cause=Both("ВКонтакте не понял нашу команду. Дело в нас.", "VK did not understand us. Our fault."),
        does=Both(
            "Записали случай и чиним, остальные товары идут дальше.", "Noted and being fixed; other products go on."
        ),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("VK 9",),
        tone=Tone.WE,
        title=Both("VK просит сбавить темп", "VK asks us to slow down"),
        cause=Both(
            "Слишком много похожих действий подряд. Так бывает после больших обновлений.",
            "Too many similar actions in a row, usual after big updates.",
        ),
        does=Both(
            "Ждём {time} и продолжим с того же места, остальное идёт.", "Waits {time}, then goes on where it stopped."
        ),
        you=Both(
            "Ничего делать не нужно. Если это дольше суток, напишем.", "Nothing to do. If it lasts a day, we write."
        ),
    ),
    Card(
        codes=("VK 14",),
        tone=Tone.YOU,
        title=Both("VK хочет убедиться, что вы человек", "VK wants to see a person"),
        cause=Both(
            "После многих карточек ВКонтакте показывает картинку с проверкой. Решить её может только человек.",
            "After many listings VK shows a picture test that only a person can pass.",
        ),
        does=Both(
            "Остановили запись, пробуем каждый час. Чтение идёт.",
            "Writing is stopped, tries every hour. Reading goes on.",
        ),
        you=Both(
            "Откройте ВКонтакте и пройдите проверку, под той же страницей.",
            "Open VK with the same profile and pass the test.",
        ),
        button=Both("Пройти проверку", "Pass the test"),
        action=Action.CONFIRM_IN_VK,
    ),
    Card(
        codes=("VK 16", "VK 25", "VK 42"),
        tone=Tone.YOU,
        title=Both("VK просит подтвердить ключ", "VK asks to confirm the key"),
        cause=Both(
            "Ключ требует подтверждения или работает только с другого адреса.",
            "The key must be confirmed or works from another address only.",
        ),
        does=Both(
            "Остановили запись. Если дело в нашем адресе, починим сами.",
            "Writing is stopped. If it is our address, we fix it.",
        ),
        you=Both("Получите новый ключ и вставьте его.", "Get a new key and paste it."),
        button=Both("Подключить заново", "Connect again"),
        action=Action.RECONNECT,
    ),
    Card(
        codes=("VK 17", "VK 24"),
        tone=Tone.YOU,
        title=Both("Подтвердите вход во ВКонтакте", "Confirm your VK sign-in"),
        cause=Both(
            "ВКонтакте заметил вход из нового места и просит подтвердить, что это вы.",
            "VK saw a sign-in from a new place and asks if it is you.",
        ),
        does=Both("Ждём и проверяем каждые 10 минут.", "Waits and checks every 10 minutes."),
        you=Both("Подтвердите вход.", "Confirm it."),
        button=Both("Подтвердить в VK", "Confirm in VK"),
        action=Action.CONFIRM_IN_VK,
    ),
    Card(
        codes=("VK 18", "VK 37", "VK 3610"),
        tone=Tone.YOU,
        title=Both("Страница ВКонтакте закрыта", "The VK profile is closed"),
        cause=Both(
            "Страница, от имени которой мы пишем, удалена, заблокирована или отключена.",
            "The profile we write for is deleted, blocked or switched off.",
        ),
        does=Both("Остановили запись, карточки остались.", "Writing is stopped; listings stay."),
        you=Both(
            "Восстановите страницу или подключите другого администратора.",
            "Restore it or connect another administrator.",
        ),
        button=Both("Подключить другую страницу", "Connect another profile"),
        action=Action.RECONNECT,
    ),
    Card(
        codes=("VK 19",),
        tone=Tone.YOU,
        title=Both("VK скрыл карточку", "VK hid a listing"),
        cause=Both("ВКонтакте заблокировал эту карточку.", "VK blocked this listing."),
        does=Both("Пропускаем её, остальные идут.", "Skips it, the rest goes on."),
        you=Both("Посмотрите причину в сообществе.", "See the reason in the community."),
        button=Both("Открыть в VK", "Open in VK"),
        action=Action.OPEN_IN_VK,
    ),
    Card(
        codes=("VK 20", "VK 21", "VK 23"),
        tone=Tone.WE,
        title=Both("VK закрыл нам действие", "VK closed an action to us"),
        cause=Both("Нашему приложению это действие запретили.", "Our application may not do this any more."),
        does=Both("Остановили запись и разбираемся.", "Writing is stopped; we are on it."),
        you=Both("Ничего делать не нужно. Напишем, когда заработает.", "Nothing to do. We will write when it works."),
    ),
    Card(
        codes=("VK 27",),
        tone=Tone.YOU,
        title=Both("Это ключ сообщества", "This is a community key"),
        cause=Both(
            "Товары VK даёт менять только человеку, ключ сообщества не подходит.",
            "VK lets only a person change products.",
        ),
        does=Both("Ничего не записали.", "Nothing was written."),
        you=Both(
            "Получите ключ от своей страницы, где вы администратор.", "Get a key of your own profile, as administrator."
        ),
        button=Both("Подключить заново", "Connect again"),
        action=Action.RECONNECT,
    ),
    Card(
        codes=("VK 29",),
        tone=Tone.WE,
        title=Both("Запас действий VK исчерпан", "VK's quota is used up"),
        cause=Both(
            "ВКонтакте ограничивает число таких действий и не говорит, когда откроет.",
            "VK limits such actions and does not say until when.",
        ),
        does=Both("Пробуем раз в час, продолжим с того же места.", "Tries every hour, goes on where it stopped."),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("VK 43",),
        tone=Tone.WE,
        title=Both("Раздел VK временно закрыт", "VK closed the section for a while"),
        cause=Both("ВКонтакте сам отключил товары на время.", "VK itself switched products off."),
        does=Both("Пробуем каждые 10 минут.", "Tries every 10 minutes."),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("VK 100",),
        tone=Tone.YOU,
        title=Both("VK не принял товар", "VK did not accept a product"),
        cause=Both("Не подошло поле «{field}».", "The field “{field}” was refused."),
        does=Both(
            "Пропускаем этот товар. Если таких большинство, остановим всё и разберёмся.",
            "Skips this product; if most are like it, stops all and looks.",
        ),
        you=Both("Поправьте «{field}» на кассе.", "Correct “{field}” at the till."),
        button=Both("Перечитать кассу", "Read the till again"),
        action=Action.READ_TILL,
    ),
    Card(
        codes=("VK 3609",),
        tone=Tone.YOU,
        title=Both("Ключ надо продлить", "The key must be extended"),
        cause=Both("Срок ключа вышел.", "Its time is over."),
        does=Both("Попробовали продлить сами.", "Tried to extend it."),
        you=Both("Подключите ВКонтакте заново.", "Connect VK again."),
        button=Both("Подключить заново", "Connect again"),
        action=Action.RECONNECT,
    ),
    Card(
        codes=("VK 1403",),
        tone=Tone.WE,
        title=Both("Карточку удалили в VK", "Listing deleted in VK"),
        cause=Both(
            "Её нет на витрине, хотя товар на кассе продаётся.", "It is gone although the till sells the product."
        ),
        does=Both("Сделаем новую.", "Makes a new one."),
        you=Both(
            "Не нужна на витрине? Снимите товар с продажи или выключите группу.",
            "Not wanted? Take the product off sale or switch its group off.",
        ),
    ),
    Card(
        codes=("VK 1405",),
        tone=Tone.YOU,
        title=Both("На витрине больше нет места", "No room in the shop"),
        cause=Both("Там уже {n} карточек, это предел ВКонтакте.", "{n} listings is VK's limit."),
        does=Both("Новые не добавляем, цены и остатки обновляем.", "Adds no new ones; prices and stock go on."),
        you=Both("Выключите лишние группы или удалите старые карточки.", "Switch groups off or delete old listings."),
        button=Both("Выбрать группы", "Choose groups"),
        action=Action.CHOOSE_GROUPS,
    ),
    Card(
        codes=("VK 1406",),
        tone=Tone.YOU,
        title=Both("Подборка полна", "Collection is full"),
        cause=Both("В «{name}» уже 1 000 карточек.", "“{name}” holds 1,000 listings."),
        does=Both("Ставим товары на витрину без подборки.", "Puts products in the shop without it."),
        you=Both("Разделите группу на кассе на две.", "Split the group in two at the till."),
        button=Both("Понятно", "All right"),
        action=Action.DISMISS,
    ),
    Card(
        codes=("VK 1407",),
        tone=Tone.YOU,
        title=Both("Слишком много подборок", "Too many collections"),
        cause=Both("У сообщества уже {n} подборок, это предел ВКонтакте.", "{n} collections is VK's limit."),
        does=Both("Товары на витрине есть, но без подборки.", "Products are in the shop, without a collection."),
        you=Both("Удалите пустые подборки в VK.", "Delete empty collections in VK."),
        button=Both("Открыть в VK", "Open in VK"),
        action=Action.OPEN_IN_VK,
    ),
    Card(
        codes=("VK 1408",),
        tone=Tone.YOU,
        title=Both("VK не любит ссылки", "VK dislikes the link"),
        cause=Both(
            "В описании есть ссылка, которую ВКонтакте не пускает.",
            "The description has a link that VK does not allow.",
        ),
        does=Both("Убрали ссылки и попробовали ещё раз.", "Took links out and tried again."),
        you=Both("Уберите ссылку из описания на кассе.", "Remove the link at the till."),
        button=Both("Перечитать кассу", "Read the till again"),
        action=Action.READ_TILL,
    ),
    Card(
        codes=("VK 1412", "VK 1413", "VK 1414", "VK 1415", "VK 1416", "VK 1417", "VK 1425", "VK 1426"),
        tone=Tone.YOU,
        title=Both("Карточка в наборе вариантов", "Listing is part of variants"),
        cause=Both(
            "В VK её объединили с другими (цвет, размер). Такие наборы мы не меняем.",
            "In VK it is joined with others. We do not change such sets.",
        ),
        does=Both("Пропускаем её.", "Skips it."),
        you=Both(
            "Уберите карточку из набора в VK, и она пойдёт за кассой.",
            "Take it out of the set and it will follow the till.",
        ),
        button=Both("Открыть в VK", "Open in VK"),
        action=Action.OPEN_IN_VK,
    ),
    Card(
        codes=("VK 1421",),
        tone=Tone.YOU,
        title=Both("Название слишком длинное", "Name too long"),
        cause=Both(
            "VK считает знаки по-своему, и даже сокращённое не поместилось.",
            "VK counts in its own way; even the short form did not fit.",
        ),
        does=Both("Сократили и попробовали ещё раз.", "Shortened it and tried again."),
        you=Both("Сократите название на кассе.", "Shorten the name at the till."),
        button=Both("Перечитать кассу", "Read the till again"),
        action=Action.READ_TILL,
    ),
    Card(
        codes=("VK 1429",),
        tone=Tone.WE,
        title=Both("Мы ошиблись в размерах", "We got sizes wrong"),
        cause=Both("Размеры и вес надо слать вместе. Дело в нас.", "Sizes and weight go together. Our fault."),
        does=Both("Чиним, остальные товары идут дальше.", "Being fixed; other products go on."),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("VK 1433", "VK 1434", "VK 1435", "VK ERR_UPLOAD"),
        tone=Tone.YOU,
        title=Both("Картинка не подошла", "Picture refused"),
        cause=Both("ВКонтакте не взял фото: мало точек или странные пропорции.", "Too few pixels or odd proportions."),
        does=Both(
            "Поставили картинку по умолчанию, чтобы товар был на витрине.",
            "Used the default picture so that the product is shown.",
        ),
        you=Both("Загрузите фото от 400×400 точек.", "Upload a photo of 400×400 or more."),
        button=Both("Выбрать фото", "Choose a photo"),
        action=Action.SETTINGS,
    ),
    Card(
        codes=("VK 1438", "VK 1525", "VK 1526"),
        tone=Tone.YOU,
        title=Both("Витрина выключена", "The shop is switched off"),
        cause=Both(
            "В сообществе отключён раздел «Магазин» или услуги.",
            "The Shop section or services are off in the community.",
        ),
        does=Both("Остановили запись, проверяем раз в час.", "Writing is stopped; checks every hour."),
        you=Both("Сообщество → Управление → Разделы → «Магазин».", "Community → Manage → Sections → Shop."),
        button=Both("Проверить снова", "Check again"),
        action=Action.CHECK_AGAIN,
    ),
    Card(
        codes=("currency",),
        tone=Tone.YOU,
        title=Both("Валюта не рубль", "Not in roubles"),
        cause=Both(
            "Витрина считает в {currency}, касса в рублях.", "The shop counts in {currency}, the till in roubles."
        ),
        does=Both("Ничего не записываем, чтобы не спутать цены.", "Writes nothing, so that prices are not mixed up."),
        you=Both("Поставьте в сообществе рубли.", "Set roubles in the community."),
        button=Both("Проверить снова", "Check again"),
        action=Action.CHECK_AGAIN,
    ),
    Card(
        codes=("prices",),
        tone=Tone.YOU,
        title=Both("Цены прочитались в 100 раз иначе", "Prices read back 100 times off"),
        cause=Both("Записали {wanted}, VK показывает {got}.", "We wrote {wanted}, VK shows {got}."),
        does=Both("Сразу остановили всё, ни одной цены больше не запишем.", "Stopped everything at once."),
        you=Both("Посмотрите карточку и напишите нам.", "Look at the listing and write to us."),
        button=Both("Написать в поддержку", "Write to support"),
        action=Action.SUPPORT,
    ),
    Card(
        codes=("rights",),
        tone=Tone.YOU,
        title=Both("Не хватает прав", "A right is missing"),
        cause=Both("Ключу не дали право «{scope}».", "The key was not given “{scope}”."),
        does=Both("Ничего не записали.", "Nothing was written."),
        you=Both(
            "Получите ключ ещё раз, отметив товары, фото и сообщества.",
            "Get the key again with products, photos and communities.",
        ),
        button=Both("Подключить заново", "Connect again"),
        action=Action.RECONNECT,
    ),
    Card(
        codes=("Evotor 400", "Evotor 405", "Evotor 406", "Evotor 413", "Evotor 422"),
        tone=Tone.WE,
        title=Both("Мы ошиблись в запросе к Эвотору", "We asked Evotor wrongly"),
        cause=Both("Дело в нас.", "Our fault."),
        does=Both("Чиним, витрина остаётся как есть.", "Being fixed; the shop stays as it is."),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("Evotor 401",),
        tone=Tone.YOU,
        title=Both("Эвотор не принял ключ", "Evotor refused the key"),
        cause=Both("Ключ отозван, или приложение переустановили.", "It was withdrawn or the app was reinstalled."),
        does=Both(
            "Перестали спрашивать кассу, витрина осталась как в {time}.", "Stopped asking; the shop stays as at {time}."
        ),
        you=Both(
            "Откройте EvoSync в кабинете Эвотора или вставьте новый ключ.",
            "Open EvoSync in your Evotor account or paste a new key.",
        ),
        button=Both("Подключить заново", "Connect again"),
        action=Action.RECONNECT,
    ),
    Card(
        codes=("Evotor 402",),
        tone=Tone.YOU,
        title=Both("Магазин «{name}» не оплачен", "Store “{name}” is not paid"),
        cause=Both(
            "EvoSync стоит не на всех кассах магазина, или касс больше, чем оплачено.",
            "Not on all its tills, or more tills than paid for.",
        ),
        does=Both(
            "Остальные магазины обновляем. Этот спрашиваем снова каждые 6 часов, карточки не трогаем.",
            "Other stores go on; this one is asked again every 6 hours, listings stay.",
        ),
        you=Both(
            "Установите приложение на все кассы или оплатите их.", "Install the app on all tills or pay for them."
        ),
        button=Both("Проверить снова", "Check again"),
        action=Action.CHECK_AGAIN,
    ),
    Card(
        codes=("Evotor 403",),
        tone=Tone.YOU,
        title=Both("Эвотор не дал прав", "Evotor gives no right"),
        cause=Both(
            "Приложение удалено, или ему не разрешили читать товары.", "The app is removed or may not read products."
        ),
        does=Both("Перестали спрашивать кассу, витрина осталась.", "Stopped asking; the shop stays."),
        you=Both(
            "Установите EvoSync в кабинете Эвотора и разрешите чтение товаров.",
            "Install EvoSync and allow reading products.",
        ),
        button=Both("Подключить заново", "Connect again"),
        action=Action.RECONNECT,
    ),
    Card(
        codes=("uninstalled",),
        tone=Tone.YOU,
        title=Both("EvoSync удалён в Эвоторе", "EvoSync was removed in Evotor"),
        cause=Both(
            "Приложение EvoSync удалили в кабинете Эвотора.", "The EvoSync app was removed in the Evotor account."
        ),
        does=Both(
            "Больше не спрашиваем кассу, витрина осталась как была.", "The till is left alone; the shop stays as it is."
        ),
        you=Both(
            "Передумали? Установите EvoSync в кабинете Эвотора снова, дальше мы сами.",
            "Changed your mind? Install EvoSync in your Evotor account again, and we go on by ourselves.",
        ),
    ),
    Card(
        codes=("subscription_over",),
        tone=Tone.YOU,
        title=Both("Подписка в Эвоторе закончилась", "The subscription in Evotor has ended"),
        cause=Both("Подписка на EvoSync в Эвоторе закончилась.", "The subscription to EvoSync in Evotor has ended."),
        does=Both(
            "Больше не спрашиваем кассу, витрина осталась как была.", "The till is left alone; the shop stays as it is."
        ),
        you=Both(
            "Продлите подписку в кабинете Эвотора, дальше мы сами.",
            "Renew it in your Evotor account, and we go on by ourselves.",
        ),
    ),
    Card(
        codes=("Evotor 404",),
        tone=Tone.YOU,
        title=Both("Магазин пропал с кассы", "A store is gone"),
        cause=Both("Эвотор не знает магазин «{name}».", "Evotor does not know “{name}”."),
        does=Both("Карточки не трогаем, пока вы не решите.", "Listings stay until you decide."),
        you=Both("Закрыли магазин? Выключите его.", "Closed it? Switch it off."),
        button=Both("Открыть магазины", "Open stores"),
        action=Action.OPEN_STORES,
    ),
    Card(
        codes=("Evotor 429",),
        tone=Tone.WE,
        title=Both("Эвотор просит подождать", "Evotor asks to wait"),
        cause=Both("Слишком много запросов, обычно пауза около получаса.", "Too many requests; usually half an hour."),
        does=Both("Ждём и продолжим.", "Waits and goes on."),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("Evotor 5xx",),
        tone=Tone.WE,
        title=Both("Эвотор сейчас не отвечает", "Evotor does not answer"),
        cause=Both("Сбой или работы на их стороне.", "A fault or works on their side."),
        does=Both(
            "Пробуем всё реже, до раза в 15 минут. Прежний список цел.",
            "Tries less and less often; the old list is kept.",
        ),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("Redis",),
        tone=Tone.WE,
        title=Both("Заминка у нас", "A hitch on our side"),
        cause=Both(
            "Наш сервер, который держит темп для VK, не отвечает.", "Our server that keeps the pace for VK is away."
        ),
        does=Both("Чиним и продолжим с того же места.", "We mend it and go on where we stopped."),
        you=Both("Ничего делать не нужно.", "Nothing to do."),
    ),
    Card(
        codes=("incomplete",),
        tone=Tone.WE,
        title=Both("Список с кассы пришёл не целиком", "The till's list came incomplete"),
        cause=Both(
            "Часть страниц не пришла, или магазин вдруг пуст.", "Pages are missing or the store is suddenly empty."
        ),
        does=Both("Ничего не скрываем и не удаляем, прочитаем заново.", "Hides and deletes nothing; reads again."),
        you=Both("Если вы и правда убрали все товары, подтвердите.", "If you did remove everything, confirm."),
        button=Both("Да, товаров нет", "Yes, it is empty"),
        action=Action.CONFIRM_EMPTY,
    ),
)

SILENT: Final[frozenset[str]] = frozenset(
    {
        "VK 6",  # slower for a moment; the progress line says so
        *("VK 12", "VK 13"),  # the batch is divided, what was written is looked up first
        *("VK 1404", "VK 1518"),  # what was wanted is so already
        "VK 1400",  # cannot be restored any more, so made anew
        "VK 1402",  # the album is made anew; a second failure comes as 1407
        *("VK 1446", "VK 1457", "VK 1458"),  # the main album is left alone
    }
)
"""Codes without a card: EvoSync deals with them, only the detail of a run names them."""

UNKNOWN: Final = Card(
    codes=(),
    tone=Tone.WE,
    title=Both("Такого мы ещё не видели", "We have not seen this before"),
    cause=Both("Ответ, которого мы не знаем.", "An answer that we do not know."),
    does=Both(
        "Записали случай и разбираемся, остальные товары идут дальше.",
        "Noted and being looked at; other products go on.",
    ),
    you=Both("Ничего делать не нужно.", "Nothing to do."),
)
"""For a code that nobody has described yet: it is ours to find out."""

_BY_CODE: Final[Mapping[str, Card]] = {code: card for card in CARDS for code in card.codes}
_HTTP: Final = re.compile(r"VK HTTP \d{3}|(?:VK|Evotor) 5\d\d")
"""A status of VK's web servers, whichever, means that none of its API answered."""

_SILENCES: Final = frozenset(
    {"body", "connection", "cut", "resting", "shape", "time-out", "timeout", "unreachable", "upload"}
)
"""What a cloud did instead of answering, after its name."""


def card_of(code: str) -> Card | None:
    """The card of an error's code; None where the owner need not know; `UNKNOWN` for a code never heard of."""
    if code in SILENT:
        return None
    if code in _BY_CODE:
        return _BY_CODE[code]
    side, _, rest = code.partition(" ")
    is_http = _HTTP.fullmatch(code) is not None
    return _BY_CODE.get(f"{side} 5xx", UNKNOWN) if rest in _SILENCES or is_http else UNKNOWN
