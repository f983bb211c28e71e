"""What the admin's pages call roles, rights, entries of the audit trail and the work."""

from collections.abc import Mapping
from typing import Final

from evosync.db.accounts import UserStatus
from evosync.db.admin.people import PersonRow
from evosync.db.admin.trail import AuditRow
from evosync.web.frame import Pill, state_pill
from evosync.words.errors import card_of
from evosync.words.format import Format
from evosync.words.language import Language, Words
from evosync.words.tone import Both, Tone

ROLES: Final[Mapping[str, Both]] = {
    "system": Both("Системный администратор", "System administrator"),
    "admin": Both("Администратор", "Administrator"),
    "user": Both("Владелец", "Owner"),
}

ROLE_HINTS: Final[Mapping[str, Both]] = {
    "system": Both("Может всё. Права этой роли не меняются.", "May do everything. Its rights are fixed."),
    "user": Both("Её получает каждый, кто регистрируется.", "Everybody who registers gets it."),
}

PERMISSIONS: Final[Mapping[str, Both]] = {
    "users.read": Both("Видеть людей", "See people"),
    "users.edit": Both("Менять данные и слать ссылку для пароля", "Edit people, send password links"),
    "users.suspend": Both("Приостанавливать и возвращать", "Suspend and let back in"),
    "users.delete": Both("Удалять", "Delete"),
    "users.invite": Both("Приглашать", "Invite"),
    "roles.edit": Both("Менять права ролей", "Change what roles may do"),
    "queue.read": Both("Видеть очередь", "See the queue"),
    "queue.retry": Both("Повторять неудачное и вызовы Эвотора", "Retry what failed, and Evotor's calls"),
    "audit.read": Both("Читать журнал", "Read the audit trail"),
}

ACTIONS: Final[Mapping[str, Both]] = {
    "registered": Both("Создан аккаунт", "Account created"),
    "email_confirmed": Both("Почта подтверждена", "Address confirmed"),
    "email_change_asked": Both("Просьба сменить почту", "Asked for another address"),
    "email_changed": Both("Почта изменена", "Address changed"),
    "signed_in": Both("Вход", "Signed in"),
    "password_changed": Both("Пароль изменён", "Password changed"),
    "password_reset": Both("Пароль задан по ссылке", "Password set by a link"),
    "profile_edited": Both("Данные о себе изменены", "Own data edited"),
    "invited": Both("Приглашение", "Invited"),
    "invitation_sent": Both("Приглашение отправлено ещё раз", "Invitation sent again"),
    "invitation_accepted": Both("Приглашение принято", "Invitation accepted"),
    "account_deleted": Both("Аккаунт удалён", "Account deleted"),
    "activated": Both("Аккаунт включён без подтверждения", "Account activated without confirmation"),
    "suspended": Both("Аккаунт приостановлен", "Account suspended"),
    "suspension_lifted": Both("Аккаунт снова работает", "Suspension lifted"),
    "reset_sent": Both("Отправлена ссылка для пароля", "Password link sent"),
    "edited": Both("Данные изменены", "Data edited"),
    "roles_changed": Both("Роли изменены", "Roles changed"),
    "permissions_changed": Both("Права роли изменены", "Rights of a role changed"),
    "run_retried": Both("Обновление запущено заново", "Update retried"),
    "delivery_replayed": Both("Вызов Эвотора повторён", "Evotor call replayed"),
    "letter_retried": Both("Письмо поставлено заново", "Letter retried"),
    "refused": Both("Отказано: мало прав", "Refused: not enough rights"),
    "evotor_connected": Both("Касса подключена", "Till connected"),
    "evotor_disconnected": Both("Касса отключена", "Till disconnected"),
    "mirror_started": Both("Витрина запущена", "The shop's updates started"),
    "mirror_paused": Both("Поставлено на паузу", "Paused"),
    "mirror_resumed": Both("Пауза снята", "Resumed"),
    "opened_by_till": Both("Аккаунт открыт из кабинета Эвотора", "Account opened from Evotor"),
    "till_parked": Both("Приложение выключено в Эвоторе", "Application switched off in Evotor"),
    "till_resumed": Both("Приложение снова включено в Эвоторе", "Application switched on in Evotor again"),
    "till_linked": Both("Касса привязана к аккаунту", "Till linked to the account"),
    "vk_connected": Both("ВКонтакте подключён", "VK connected"),
    "vk_disconnected": Both("ВКонтакте отключён", "VK disconnected"),
}

_FIELDS: Final[Mapping[str, Both]] = {
    "name": Both("имя", "name"),
    "email": Both("почта", "address"),
    "phone": Both("телефон", "phone"),
    "language": Both("язык", "language"),
}

_ATTEMPTS: Final[Mapping[str, Both]] = {
    "activate": Both("включить", "activate"),
    "suspend": Both("приостановить", "suspend"),
    "delete": Both("удалить", "delete"),
    "reset_password": Both("послать ссылку для пароля", "send a password link"),
    "send_invite": Both("пригласить ещё раз", "invite again"),
    "invite": Both("пригласить", "invite"),
    "edit": Both("изменить данные", "edit"),
    "set_permissions": Both("изменить права роли", "change a role"),
    "replay": Both("повторить вызов Эвотора", "replay an Evotor call"),
}

STEPS: Final[Mapping[str, Both]] = {
    "refresh_catalog": Both("читаем кассу", "reading the till"),
    "refresh_vk": Both("читаем витрину", "reading the shop"),
    "mirror": Both("записываем", "writing"),
}

PARTS: Final[Mapping[str, Both]] = {
    "database": Both("база данных", "database"),
    "migrations": Both("таблицы этой версии", "this version's tables"),
    "redis": Both("Redis", "Redis"),
    "worker": Both("обработчик", "worker"),
    "cron": Both("расписание", "schedule"),
    "queue": Both("очередь заданий", "queue of jobs"),
}

LETTER_KINDS: Final[Mapping[str, Both]] = {
    "confirm": Both("Подтверждение почты", "Confirmation"),
    "reset": Both("Ссылка для пароля", "Password link"),
    "invite": Both("Приглашение", "Invitation"),
    "new_address": Both("Новая почта", "New address"),
    "have_account": Both("Аккаунт уже есть", "Has an account already"),
    "password_changed": Both("Пароль изменён", "Password changed"),
    "address_changed": Both("Почта изменена", "Address changed"),
    "vk_broken": Both("ВКонтакте не пускает", "VK is broken"),
    "evotor_broken": Both("Касса не отвечает", "The till is broken"),
    "evotor_parked": Both("EvoSync выключен в Эвоторе", "Off in Evotor"),
    "key_expiring": Both("Ключ скоро закончится", "A key is about to run out"),
    "failing": Both("Сутки без обновлений", "A day without updates"),
    "well_again": Both("Снова в порядке", "Well again"),
}

_LOST: Final = Both("обработчик пропал", "its worker was lost")
_CRASHED: Final = Both("наш сбой", "a fault of ours")


def said(words: Mapping[str, Both], key: str, language: Language) -> str:
    """The key itself where nobody has words for it yet."""
    return words[key].said(language.value) if key in words else key


def role_name(name: str, language: Language) -> str:
    return said(ROLES, name, language)


def error_text(code: str, language: Language) -> str:
    """An error's code with the title of its card."""
    if not code:
        return _CRASHED.said(language.value)
    if code == "lost":
        return _LOST.said(language.value)
    card = card_of(code)
    return f"{code}: {card.title.said(language.value)}" if card is not None and card.codes else code


def person_pill(person: PersonRow, words: Words, form: Format) -> Pill:
    """The account's own state first, then that of its mirror."""
    if person.status is UserStatus.PENDING:
        return Pill(Tone.OFF, words.gettext("Not confirmed"))
    if person.status is UserStatus.SUSPENDED:
        return Pill(Tone.OFF, words.gettext("Account suspended"))
    pill = state_pill(person.glance, words, form)
    return Pill(pill.tone, words.gettext("Needs its owner")) if pill.tone is Tone.YOU else pill


def audit_details(entry: AuditRow, language: Language) -> str:
    """The rest of an entry: which fields, which roles, why."""
    details, code = entry.details, language.value
    found = [said(_FIELDS, str(name), language) for name in details.get("fields", ())]
    names = PERMISSIONS if entry.action == "permissions_changed" else ROLES
    if "role" in details:
        found.append(role_name(str(details["role"]), language))
    found += [f"+ {said(names, str(name), language)}" for name in details.get("given", ())]
    found += [f"− {said(names, str(name), language)}" for name in details.get("taken", ())]
    if "what" in details:
        found.append(said(_ATTEMPTS, str(details["what"]), language))
    if "reason" in details:
        found.append(str(details["reason"]))
    if "number" in details:
        found.append(f"№ {details['number']}")
    if "code" in details:
        found.append(error_text(str(details["code"]), Language(code)))
    return ", ".join(found)
