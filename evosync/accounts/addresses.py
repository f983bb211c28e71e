"""Mail addresses and phones in the one form in which they are kept and compared."""

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from evosync.db.accounts import fold_email

LONGEST_EMAIL = 254


class NotAnAddress(ValueError):
    """Neither a mail address nor, where one was asked for, a phone."""


def folded(email: str) -> str:
    """For comparing; never raises, so that any text can be looked up."""
    return fold_email(email)[:LONGEST_EMAIL]


def mail_address(text: str, *, test_domains: bool = False) -> str:
    """The address, folded. Nothing is asked of the network. Raises `NotAnAddress`.

    `test_domains` also lets the reserved domain `.test` pass.
    """
    try:
        found = validate_email(text.strip(), check_deliverability=False, test_environment=test_domains)
    except EmailNotValidError as error:
        raise NotAnAddress(text) from error
    if len(found.normalized) > LONGEST_EMAIL:
        raise NotAnAddress(text)
    return folded(found.normalized)


def phone_number(text: str, *, region: str = "RU") -> str:
    """E.164 from any usual way to write it. Raises `NotAnAddress`."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise NotAnAddress(text) from error
    if not phonenumbers.is_valid_number(number):
        raise NotAnAddress(text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def shown_phone(number: str) -> str:
    """E.164 as people read it."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
