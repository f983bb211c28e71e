"""Texts to be read: the privacy policy, the terms, and what EvoSync never does.

They say what the service does, so whoever changes what is kept, for how long, or who gets it, changes them too.
`{operator}` and `{support}` are the operator's settings.
"""

from dataclasses import dataclass
from typing import Final

from evosync.words.tone import Both


@dataclass(frozen=True, slots=True)
class Part:
    """A section: paragraphs, then points."""

    lines: tuple[Both, ...] = ()
    points: tuple[Both, ...] = ()
    title: Both | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A page of reading."""

    title: Both
    parts: tuple[Part, ...]


PROMISES: Final = Text(
    Both("Чего EvoSync никогда не сделает с вашим магазином", "What EvoSync never does to your shop"),
    (
        Part(
            points=(
                Both(
                    "Не удаляет карточки: только скрывает, и вернуть можно всегда.",
                    "It deletes no listing: it only hides, and that can be undone.",
                ),
                Both(
                    "Не трогает карточки, которые вы сделали сами. Только той, что названа как товар на кассе, ставит "
                    "его цену и остаток, а ваш текст и фото оставляет.",
                    "It does not touch listings that you made yourself. Only one that is named like a product at the "
                    "till gets its price and stock, and keeps your text and photos.",
                ),
                Both("Не ставит цену ноль.", "It never sets a price of zero."),
                Both(
                    "Не меняет ничего, если список с кассы пришёл не целиком.",
                    "It changes nothing when the till's list came incomplete.",
                ),
                Both("Не пишет на витрину до вашего первого запуска.", "It writes nothing before your first start."),
                Both("Не показывает ваш ключ никому, даже вам.", "It shows your key to nobody, not even to you."),
            )
        ),
        Part(
            title=Both("А что делает", "And what it does"),
            lines=(
                Both(
                    "Раз в час и сразу после изменений на кассе сверяет товары и переносит на витрину названия, цены, "
                    "описания и остатки. У каждого обновления есть чек: что изменилось, у чего не вышло и почему.",
                    "Once an hour, and right after changes at the till, it compares the products and carries names, "
                    "prices, descriptions and stock over to VK. Each update leaves a receipt: what changed, what did "
                    "not work, and why.",
                ),
            ),
        ),
    ),
)

PRIVACY: Final = Text(
    Both("Политика конфиденциальности", "Privacy policy"),
    (
        Part(
            lines=(
                Both(
                    "EvoSync переносит товары из кассы Эвотор в магазин сообщества ВКонтакте. Здесь сказано, какие "
                    "данные для этого нужны, где они лежат и как их удалить. Оператор: {operator}.",
                    "EvoSync carries products from an Evotor till into a VK community's shop. This page says "
                    "which data "
                    "that takes, where it is kept and how to erase it. Operator: {operator}.",
                ),
            )
        ),
        Part(
            title=Both("Что мы храним", "What we keep"),
            points=(
                Both(
                    "О вас: почту, имя и телефон, если вы их указали, язык, часовой пояс, время согласия. Пароль "
                    "хранится только как хеш, прочитать его не может никто.",
                    "About you: your address, name and phone if you gave them, language, time zone, the time of your "
                    "consent. The password is kept as a hash only; nobody can read it.",
                ),
                Both(
                    "Ключи доступа Эвотора и ВКонтакте: зашифрованными. На страницах видны только последние "
                    "четыре знака.",
                    "Access keys of Evotor and VK: encrypted. Pages show their last four characters only.",
                ),
                Both(
                    "О магазине: магазины, группы, товары с ценами и остатками из кассы, карточки и подборки "
                    "сообщества, "
                    "связи между ними, ваши настройки.",
                    "About the shop: stores, groups, products with prices and stock from the till, the community's "
                    "listings and collections, the links between them, your settings.",
                ),
                Both(
                    "Историю: обновления и их итоги, отправленные письма, важные действия в аккаунте с адресом "
                    "в сети, с "
                    "которого они сделаны, и открытые входы с названием браузера.",
                    "History: updates and their results, letters sent, important actions in the account with "
                    "the network "
                    "address they came from, and open sign-ins with the browser's name.",
                ),
                Both(
                    "Чеки, покупателей и платежи EvoSync не хранит.",
                    "EvoSync keeps no receipts of sales, no buyers and no payments.",
                ),
            ),
        ),
        Part(
            title=Both("Зачем", "What for"),
            lines=(
                Both(
                    "Чтобы впускать вас в аккаунт, обновлять витрину, объяснять, что сделано и что не вышло, и писать "
                    "вам, когда нужны вы. Рекламы нет, данные не продаются и не используются ни для чего другого.",
                    "To let you in, to update your shop, to explain what was done and what was not, and to "
                    "write to you "
                    "when you are needed. There is no advertising; data is not sold and serves nothing else.",
                ),
            ),
        ),
        Part(
            title=Both("Кому мы их передаём", "Who gets it"),
            points=(
                Both(
                    "ВКонтакте получает названия, описания, цены, остатки и картинки товаров, которые вы "
                    "решили показать.",
                    "VK gets names, descriptions, prices, stock and pictures of the products that you chose to show.",
                ),
                Both(
                    "Эвотор получает запросы на чтение вашего каталога.",
                    "Evotor gets requests to read your catalog.",
                ),
                Both(
                    "Почтовый сервис и сервис SMS получают ваш адрес или телефон и текст письма.",
                    "The mail and SMS services get your address or phone and the text of the letter.",
                ),
                Both(
                    "Администратор сервиса видит ваш аккаунт и состояние обновлений, но не пароль и не ключи.",
                    "An administrator of the service sees your account and the state of its updates, but neither "
                    "password nor keys.",
                ),
            ),
        ),
        Part(
            title=Both("Файлы cookie", "Cookies"),
            lines=(
                Both(
                    "Один файл, без которого не войти: он называет ваш вход и исчезает после двух недель без дела. "
                    "Счётчиков посещений нет.",
                    "One, without which nobody can sign in: it names your sign-in and is gone after two weeks "
                    "of rest. "
                    "Visits are not counted.",
                ),
            ),
        ),
        Part(
            title=Both("Сколько хранится и как удалить", "For how long, and how to erase it"),
            lines=(
                Both(
                    "Пока есть аккаунт. Отключите Эвотор или ВКонтакте, и ключ стирается сразу. Удалите аккаунт в "
                    "профиле, и стираются ключи, история и данные о вас; карточки во ВКонтакте остаются "
                    "вашими. Запись о "
                    "том, что аккаунт удалён, остаётся без имени и адреса.",
                    "As long as the account lasts. Disconnect Evotor or VK and the key is erased at once. Delete the "
                    "account in your profile and keys, history and data about you are erased; the listings in VK stay "
                    "yours. What remains is a note that an account was deleted, without name or address.",
                ),
                Both(
                    "В профиле можно скачать всё, что хранится о вас, и исправить неверное. Согласие отзывают "
                    "удалением "
                    "аккаунта.",
                    "In your profile you can download all that is kept about you and correct what is wrong. "
                    "Consent is "
                    "withdrawn by deleting the account.",
                ),
                Both("Вопросы и просьбы: {support}.", "Questions and requests: {support}."),
            ),
        ),
    ),
)

TERMS: Final = Text(
    Both("Условия", "Terms"),
    (
        Part(
            title=Both("Что делает сервис", "What the service does"),
            lines=(
                Both(
                    "EvoSync читает каталог вашей кассы Эвотор и по вашему решению ведёт по нему товары в магазине "
                    "вашего сообщества ВКонтакте: создаёт карточки и подборки, меняет названия, описания, цены и "
                    "остатки, скрывает карточки и показывает их снова. Удалять карточки он не умеет.",
                    "EvoSync reads the catalog of your Evotor till and, as you decide, keeps the products of your VK "
                    "community's shop in step with it: it creates listings and collections, changes names, "
                    "descriptions, "
                    "prices and stock, hides listings and shows them again. It cannot delete listings.",
                ),
            ),
        ),
        Part(
            title=Both("Что решаете вы", "What you decide"),
            points=(
                Both("какие магазины и группы показывать;", "which stores and groups are shown;"),
                Both(
                    "когда сделать первый запуск: до него ничего не пишется;",
                    "when to start: nothing is written before;",
                ),
                Both(
                    "когда поставить паузу, отключить или удалить аккаунт.",
                    "when to pause, disconnect or delete the account.",
                ),
            ),
        ),
        Part(
            title=Both("За что отвечаете вы", "What you answer for"),
            lines=(
                Both(
                    "За то, что сообщество и касса ваши или вам разрешено ими управлять; за цены и названия на "
                    "кассе; за "
                    "то, что такие товары можно продавать во ВКонтакте. Пароль и ключи не передавайте никому.",
                    "That the community and the till are yours, or that you may manage them; for prices and "
                    "names at the "
                    "till; that such goods may be sold in VK. Give your password and keys to nobody.",
                ),
            ),
        ),
        Part(
            title=Both("За что отвечаем мы", "What we answer for"),
            lines=(
                Both(
                    "Ничего не писать без вашего решения, говорить правду о том, что сделано, беречь ключи и "
                    "останавливаться при сомнении. Эвотор и ВКонтакте работают по своим правилам и бывают недоступны; "
                    "витрина тогда остаётся как была и догоняет потом. Если витрина отстала, для покупателя "
                    "верна цена, "
                    "которую подтвердите вы.",
                    "To write nothing without your decision, to tell the truth about what was done, to guard the keys "
                    "and to stop when in doubt. Evotor and VK have rules of their own and are sometimes away; "
                    "the shop "
                    "then stays as it was and catches up later. Where the shop is behind, the price that you "
                    "confirm to "
                    "the buyer counts.",
                ),
            ),
        ),
        Part(
            title=Both("Как это кончается", "How it ends"),
            lines=(
                Both(
                    "Вы удаляете аккаунт в профиле, когда захотите. Мы можем приостановить аккаунт, с которого мешают "
                    "другим или нарушают правила ВКонтакте или Эвотора; карточки при этом остаются.",
                    "You delete the account in your profile whenever you like. We may suspend an account that "
                    "disturbs "
                    "others or breaks the rules of VK or Evotor; listings stay.",
                ),
                Both("Оператор: {operator}. Написать: {support}.", "Operator: {operator}. Write to: {support}."),
            ),
        ),
    ),
)
