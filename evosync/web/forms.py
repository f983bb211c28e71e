"""Forms: what is wrong is said beside the field, in the reader's language, and what was typed is kept."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from aiohttp import web
from multidict import MultiDict
from wtforms import Form, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.i18n import get_translations
from wtforms.validators import StopValidation, ValidationError

from evosync.accounts import passwords as password_rules
from evosync.accounts.addresses import NotAnAddress, mail_address, phone_number
from evosync.web.keys import WORDS
from evosync.words.language import Words, marked

_F = TypeVar("_F", bound=Form)
Validator = Callable[[Any, Any], None]


class _Both:
    """Our own catalog first, then the messages that WTForms brings."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._theirs = get_translations([words.language.value, "en"])

    def gettext(self, text: str) -> str:
        ours = self.words.gettext(text)
        return ours if ours != text else str(self._theirs.gettext(text))

    def ngettext(self, one: str, many: str, number: int) -> str:
        return str(self._theirs.ngettext(one, many, number))


class SiteForm(Form):
    """A form in the reader's language. Labels and messages are written as `marked(...)` msgids.

    The form token is not its business: see `csrf`.
    """

    class Meta:
        """WTForms' own settings of a form."""

        csrf = False
        words: Words

        def get_translations(self, form: Form) -> _Both:
            del form
            return _Both(self.words)

        def render_field(self, field: Any, render_kw: Mapping[str, Any]) -> Any:
            # No `required` in the HTML: the browser would say it in its own words, and not beside the field.
            kw = {"required": False, **render_kw}
            if field.flags.maxlength:
                kw.setdefault("maxlength", field.flags.maxlength)
            return field.widget(field, **kw)

    def __init__(self, formdata: Any = None, *, words: Words, **kwargs: Any) -> None:
        super().__init__(formdata, meta={"words": words}, **kwargs)
        for field in self:
            if field.label is not None:
                field.label.text = words.gettext(str(field.label.text))

    def complain(self, name: str, message: str) -> None:
        """Puts a message beside a field after the validation."""
        field = self[name]
        field.errors = [*field.errors, field.gettext(message)]

    def text(self, name: str) -> str:
        """What was typed, as text."""
        return str(self[name].data or "")


def blank(kind: type[_F], request: web.Request, **kwargs: Any) -> _F:
    return kind(words=request[WORDS], **kwargs)


async def filled(kind: type[_F], request: web.Request, **kwargs: Any) -> _F:
    """The form with what was sent; uploaded files are left out."""
    sent = await request.post()
    texts = MultiDict((name, value) for name, value in sent.items() if isinstance(value, str))
    return kind(cast("Any", texts), words=request[WORDS], **kwargs)


def options(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    """Value and label as a select or a group of radio buttons takes them."""
    return [SelectChoice(value=value, label=label) for value, label in pairs]


def stripped(value: str | None) -> str | None:
    return value.strip() if value else value


def needed(message: str) -> Validator:
    """Says `message` where nothing was typed, and nothing further."""

    def check(_form: Form, field: Any) -> None:
        if not (field.data or "").strip() if isinstance(field.data, str) or field.data is None else not field.data:
            raise StopValidation(field.gettext(message))

    return check


def optional(_form: Form, field: Any) -> None:
    """Nothing typed is fine."""
    if not (field.data or "").strip():
        field.errors = []
        raise StopValidation


def email(_form: Form, field: Any) -> None:
    try:
        field.data = mail_address(field.data or "", test_domains=True)
    except NotAnAddress:
        raise ValidationError(field.gettext(marked("Enter an address like name@example.com"))) from None


def phone(_form: Form, field: Any) -> None:
    try:
        field.data = phone_number(field.data or "")
    except NotAnAddress:
        raise ValidationError(field.gettext(marked("Enter a phone like +7 912 345-67-89"))) from None


class _Length:
    def __init__(self, most: int) -> None:
        self.most = most
        self.field_flags = {"maxlength": most}

    def __call__(self, _form: Form, field: Any) -> None:
        if len(field.data or "") > self.most:
            raise ValidationError(field.gettext(marked("That is too long")))


def at_most(length: int) -> Any:
    """Also tells the browser."""
    return _Length(length)


def new_password(form: Form, field: Any) -> None:
    """The rule for passwords; one that is made of the name or address typed beside it is refused too."""
    near = [str(other.data) for other in form if isinstance(other, StringField) and other is not field and other.data]
    fault = password_rules.fault_of(field.data or "", near=near)
    if fault is not None:
        raise ValidationError(field.gettext(fault))
