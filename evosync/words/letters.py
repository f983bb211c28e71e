"""What letters say, in both languages (the words' section 11): plain text first, HTML the same with one button."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from evosync.words.tone import Both


class Kind(StrEnum):
    """A letter's kind; the value is stored."""

    CONFIRM = "confirm"
    RESET = "reset"
    INVITE = "invite"
    NEW_ADDRESS = "new_address"
    """To a new address, which must be confirmed before it counts."""
    HAVE_ACCOUNT = "have_account"
    """Somebody tried to register with an address that has an account."""
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of letter
    ADDRESS_CHANGED = "address_changed"
    VK_BROKEN = "vk_broken"
    EVOTOR_BROKEN = "evotor_broken"
    EVOTOR_PARKED = "evotor_parked"
    """The app was removed, or its subscription ended; `code` says which."""
    KEY_EXPIRING = "key_expiring"
    FAILING = "failing"
    WELL_AGAIN = "well_again"


@dataclass(frozen=True, slots=True)
class LetterWords:
    """`before` and `after` the button are paragraphs. `path` is where the button leads if no link of its own does.

    `notice` is the switch in the profile that turns such letters off; letters about safety have none.
    """

    subject: Both
    before: tuple[Both, ...]
    button: Both
    after: tuple[Both, ...] = ()
    path: str = ""
    notice: str = ""


_ONCE: Final = Both("Ссылка сработает один раз, до {expires_at}.", "The link works once, until {expires_at}.")
_RECONNECT: Final = Both("Подключить заново", "Connect again")
_HAVE_A_LOOK: Final = Both("Посмотреть", "Have a look")

GREETING: Final = Both("Здравствуйте, {name}.", "Hello, {name}.")
BARE_GREETING: Final = Both("Здравствуйте.", "Hello.")
FOOTER: Final = Both(
    "Вы получили это письмо, потому что ваш адрес указан в EvoSync.",
    "You get this because your address is in EvoSync.",
)
SWITCHES: Final = Both("Какие письма присылать, решаете вы: {link}", "Which letters to get is up to you: {link}")

LETTERS: Final[Mapping[Kind, LetterWords]] = {
    Kind.CONFIRM: LetterWords(
        Both("Подтвердите почту для EvoSync", "Confirm your address for EvoSync"),
        (
            Both(
                "Кто-то, скорее всего вы, создал аккаунт EvoSync на этот адрес. Нажмите кнопку, и продолжим: осталось "
                "подключить кассу и ВКонтакте.",
                "Someone, most likely you, created an EvoSync account with this address. Press the button and we go "
                "on: "
                "the till and VK come next.",
            ),
        ),
        Both("Подтвердить почту", "Confirm address"),
        (_ONCE, Both("Это были не вы? Просто удалите письмо.", "Not you? Just delete this mail.")),
    ),
    Kind.RESET: LetterWords(
        Both("Новый пароль для EvoSync", "A new password for EvoSync"),
        (
            Both(
                "Вы просили сменить пароль. Нажмите кнопку и придумайте новый. После этого мы завершим все прежние "
                "входы.",
                "You asked to change your password. Press the button and choose one. All earlier sign-ins will end.",
            ),
        ),
        Both("Задать пароль", "Set password"),
        (
            _ONCE,
            Both(
                "Не просили? Старый пароль остаётся, делать ничего не нужно.",
                "Did not ask? The old password stays; nothing to do.",
            ),
        ),
    ),
    Kind.INVITE: LetterWords(
        Both("Вас приглашают в EvoSync", "You are invited to EvoSync"),
        (
            Both(
                "{who} открыл для вас аккаунт. EvoSync сам переносит товары, цены и остатки из кассы Эвотор в магазин "
                "сообщества ВКонтакте.",
                "{who} opened an account for you. EvoSync brings products, prices and stock from your Evotor till into "
                "your VK shop by itself.",
            ),
        ),
        Both("Принять приглашение", "Accept"),
        (_ONCE,),
    ),
    Kind.NEW_ADDRESS: LetterWords(
        Both("Подтвердите новую почту для EvoSync", "Confirm your new address for EvoSync"),
        (
            Both(
                "Этот адрес указали для вашего аккаунта EvoSync. Нажмите кнопку, и письма будут приходить сюда, а "
                "входить вы будете с ним. До этого всё остаётся по-старому.",
                "This address was given for your EvoSync account. Press the button and letters will come here; you "
                "will sign in with it. Until then nothing changes.",
            ),
        ),
        Both("Подтвердить почту", "Confirm address"),
        (_ONCE, Both("Это были не вы? Просто удалите письмо.", "Not you? Just delete this mail.")),
    ),
    Kind.HAVE_ACCOUNT: LetterWords(
        Both("У вас уже есть аккаунт EvoSync", "You have an EvoSync account already"),
        (
            Both(
                "Кто-то, возможно вы, попробовал зарегистрироваться с этим адресом. Аккаунт на него уже есть: войдите "
                "или задайте новый пароль на странице входа.",
                "Someone, maybe you, tried to register with this address. It has an account already: sign in, or set a "
                "new password from the sign-in page.",
            ),
        ),
        Both("Войти", "Sign in"),
        (Both("Это были не вы? Делать ничего не нужно.", "Not you? Nothing to do."),),
        path="/login",
    ),
    Kind.PASSWORD_CHANGED: LetterWords(
        Both("Пароль EvoSync изменён", "Your EvoSync password was changed"),
        (
            Both(
                "{changed_at}, {device}. Остальные входы завершены.",
                "{changed_at}, {device}. Other sign-ins are ended.",
            ),
            Both("Это были не вы? Сразу задайте новый пароль.", "Not you? Set a new password at once."),
        ),
        Both("Это не я", "It was not me"),
        path="/forgot-password",
    ),
    Kind.ADDRESS_CHANGED: LetterWords(
        Both("Адрес EvoSync изменён", "Your EvoSync address was changed"),
        (
            Both(
                "{changed_at} почту вашего аккаунта сменили: письма теперь приходят на новый адрес, и входить надо с "
                "ним.",
                "On {changed_at} the address of your account was changed: letters go to the new one, and it is the one "
                "to sign in with.",
            ),
            Both("Это были не вы? Напишите нам.", "Not you? Write to us."),
        ),
        Both("Открыть EvoSync", "Open EvoSync"),
        path="/login",
    ),
    Kind.VK_BROKEN: LetterWords(
        Both("Витрина не обновляется: нужен новый ключ ВКонтакте", "Your VK shop is not updating: a new key is needed"),
        (
            Both(
                "С {since_at} ВКонтакте не пускает нас в «{community}»: {cause}",
                "Since {since_at} VK does not let us into “{community}”: {cause}",
            ),
            Both(
                "На витрине остались цены на это время. Товаров, изменившихся с тех пор на кассе: {changed}.",
                "The shop shows prices as of then. Products changed at the till since: {changed}.",
            ),
        ),
        _RECONNECT,
        (Both("Это 2 минуты. Потом мы догоним всё сами.", "Two minutes; then we catch up by ourselves."),),
        path="/connections",
        notice="broken",
    ),
    Kind.EVOTOR_BROKEN: LetterWords(
        Both(
            "Витрина не обновляется: нужен новый ключ Эвотора",
            "Your VK shop is not updating: a new Evotor key is needed",
        ),
        (
            Both(
                "С {since_at} касса не отвечает на ключ: {cause}", "Since {since_at} the till refuses the key: {cause}"
            ),
            Both(
                "Витрина осталась как была, цены на ней могли устареть.",
                "The shop stays as it was; prices may be out of date.",
            ),
        ),
        _RECONNECT,
        (Both("Это 2 минуты. Потом мы догоним всё сами.", "Two minutes; then we catch up by ourselves."),),
        path="/connections",
        notice="broken",
    ),
    Kind.EVOTOR_PARKED: LetterWords(
        Both(
            "Витрина не обновляется: EvoSync выключен в Эвоторе",
            "Your VK shop is not updating: EvoSync is off in Evotor",
        ),
        (
            Both("{cause} Кассу не спрашиваем с {since_at}.", "{cause} The till has not been asked since {since_at}."),
            Both(
                "Витрина осталась как была, цены на ней могли устареть.",
                "The shop stays as it was; prices may be out of date.",
            ),
            Both("{you}", "{you}"),
        ),
        Both("Открыть подключения", "Open connections"),
        (Both("Больше ничего делать не нужно.", "There is nothing else to do."),),
        path="/connections",
        notice="broken",
    ),
    Kind.KEY_EXPIRING: LetterWords(
        Both("Ключ ВКонтакте скоро закончится", "Your VK key is about to run out"),
        (
            Both(
                "Ключ к «{community}» работает до {expires_at}. После этого витрина перестанет обновляться.",
                "The key to “{community}” works until {expires_at}. After that the shop stops updating.",
            ),
        ),
        Both("Подключить новый ключ", "Connect a new key"),
        (Both("Это 2 минуты. На витрине ничего не изменится.", "Two minutes. Nothing changes in the shop."),),
        path="/connections",
        notice="expiring",
    ),
    Kind.FAILING: LetterWords(
        Both("Витрина отстаёт от кассы уже сутки", "Your VK shop has been behind the till for a day"),
        (
            Both(
                "Последнее удачное обновление было {since_at}. Причина: {title}. Мы пробуем снова сами.",
                "The last good update was {since_at}. Cause: {title}. We keep trying by ourselves.",
            ),
            Both(
                "Как на кассе: {same} из {total}. Отстают: {behind}.",
                "As at the till: {same} of {total}. Behind: {behind}.",
            ),
            Both("{you}", "{you}"),
        ),
        _HAVE_A_LOOK,
        path="/sync",
        notice="failing",
    ),
    Kind.WELL_AGAIN: LetterWords(
        Both("Витрина снова в ногу с кассой", "Your VK shop is in step again"),
        (
            Both(
                "С {since_at} всё работает. Догнали товаров: {caught_up}. Ждут вас: {problems}.",
                "All well since {since_at}. Products caught up: {caught_up}. Waiting for you: {problems}.",
            ),
        ),
        _HAVE_A_LOOK,
        path="/sync",
        notice="failing",
    ),
}

SMS: Final = Both(
    "EvoSync: задайте пароль по ссылке, до {expires_at}: {link}",
    "EvoSync: set your password, until {expires_at}: {link}",
)
"""The only SMS there is: for an account that has a phone and no mail."""
