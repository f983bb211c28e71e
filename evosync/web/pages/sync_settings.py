"""The owner's settings. What a change will do is said, with its numbers, before it is saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection
from wtforms import RadioField, SelectField, SelectMultipleField, StringField
from wtforms.widgets import CheckboxInput, ListWidget

from evosync.db import choices, history, rules
from evosync.db.rules import Rules
from evosync.domain.catalog import Store
from evosync.domain.errors import CloudError
from evosync.domain.kinds import RISKY
from evosync.domain.policy import Gone, Policy, StockMode
from evosync.domain.texts import fold_for_search
from evosync.vk.wire import Category
from evosync.web import session
from evosync.web.effects import consequences
from evosync.web.forms import SiteForm, blank, filled, options
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.pages.preview import forget
from evosync.web.render import page
from evosync.web.services import Site
from evosync.web.viewer import viewer_of
from evosync.words.format import Format
from evosync.words.language import marked
from evosync.words.statuses import KINDS

INTERVALS: Final = (60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400)
"""Seconds between full comparisons that an owner can choose from, as far as the operator allows them."""
MOST_INTERVAL: Final = 86_400
MOST_GRAMS: Final = 10_000
FOUND: Final = 30
"""Categories that a search shows."""
_BAD_WEIGHT: Final = marked("A whole number of grams, from 1 to 10,000")


class RulesForm(SiteForm):
    """How the mirror behaves. An empty value: as the operator set it."""

    interval = SelectField(marked("How often everything is compared"))
    weight = StringField(marked("Goods sold by the gram: the price is for so many grams"))
    stock = RadioField(marked("Stock"))
    gone = RadioField(marked("Goods gone from the till"))
    switched_off = RadioField(marked("Goods of a group or store that you switch off"))
    kinds = SelectMultipleField(
        marked("Kinds of goods that VK may refuse"),
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    rules: Rules
    stores: list[Store]
    now: history.Now


async def _load(request: web.Request) -> _Known:
    user = viewer_of(request).id

    async def look(connection: AsyncConnection) -> _Known:
        own = await rules.load(connection, user)
        return _Known(own, await rules.ranked(connection, user, own), await history.now(connection, user))

    return await request.app[SERVICES].database.read(look)


def _fit(form: RulesForm, request: web.Request, own: Rules) -> RulesForm:
    """Gives the fields what can be chosen."""
    words, formats, site = request[WORDS], request[FORMAT], request.app[SERVICES].site
    say, policy = words.gettext, site.policy
    fields: Any = form
    usual = formats.span(timedelta(seconds=site.refresh_interval_seconds))
    fields["interval"].choices = options(
        [("", say("as usual: %(time)s", time=usual)), *_intervals(site, own.interval, formats)]
    )
    fields["stock"].choices = options(
        [
            (
                StockMode.CONSTANT.value,
                say("Always in stock: VK shows %(num)s of each", num=formats.number(policy.stock_constant)),
            ),
            (StockMode.TILL.value, say("As at the till: what has run out is shown as sold out")),
        ]
    )
    fields["gone"].choices = options(
        [
            (Gone.HIDE.value, say("Hide their listings; they come back with the product")),
            (Gone.LEAVE.value, say("Leave their listings as they are")),
        ]
    )
    fields["switched_off"].choices = options(
        [
            (Gone.LEAVE.value, say("Leave their listings as they are and stop following")),
            (Gone.HIDE.value, say("Hide their listings")),
        ]
    )
    language = words.language.value
    fields["kinds"].choices = options([(kind, KINDS[kind].said(language).capitalize()) for kind in RISKY])
    return form


def _intervals(site: Site, own: int | None, form: Format) -> list[tuple[str, str]]:
    least = site.min_interval_seconds
    known = sorted({seconds for seconds in (*INTERVALS, least, own or least) if least <= seconds <= MOST_INTERVAL})
    return [(str(seconds), form.span(timedelta(seconds=seconds))) for seconds in known]


def _values(own: Rules, policy: Policy) -> dict[str, Any]:
    return {
        "interval": str(own.interval or ""),
        "weight": str(own.weight or policy.weight_grams),
        "stock": (own.stock or policy.stock_mode).value,
        "gone": (own.gone or policy.when_gone).value,
        "switched_off": (own.switched_off or policy.when_switched_off).value,
        "kinds": sorted(own.kinds),
    }


def _read(form: RulesForm, own: Rules, policy: Policy) -> Rules:
    """What is as the operator has it stays his to change."""
    fields: Any = form
    weight = int(form.text("weight"))
    stock, gone = StockMode(form.text("stock")), Gone(form.text("gone"))
    switched_off = Gone(form.text("switched_off"))
    return replace(
        own,
        interval=int(form.text("interval")) if form.text("interval") else None,
        weight=weight if own.weight is not None or weight != policy.weight_grams else None,
        stock=stock if own.stock is not None or stock is not policy.stock_mode else None,
        gone=gone if own.gone is not None or gone is not policy.when_gone else None,
        switched_off=(
            switched_off if own.switched_off is not None or switched_off is not policy.when_switched_off else None
        ),
        kinds=frozenset(fields["kinds"].data or ()),
    )


async def show(request: web.Request) -> web.Response:
    known = await _load(request)
    policy = request.app[SERVICES].site.policy
    form = _fit(blank(RulesForm, request, data=_values(known.rules, policy)), request, known.rules)
    return await _page(request, form, known)


async def _page(request: web.Request, form: RulesForm, known: _Known, *, status: int = HTTPStatus.OK) -> web.Response:
    words, site = request[WORDS], request.app[SERVICES].site
    wanted = request.query.get("category", "").strip()[:100]
    found, error, present = await _categories(request, known, wanted)
    context = {
        "form": form,
        "stores": known.stores,
        "wanted": wanted,
        "categories": found,
        "category_error": error,
        "category": present,
        "has_category": known.rules.category is not None,
        "usual_category": site.policy.category,
        "has_shop": known.now.shop is not None,
        "kinds_text": words.gettext("VK's rules restrict them. Switch on only what you may sell there."),
    }
    return await page(request, "sync/settings.html", context, status=status)


async def _categories(request: web.Request, known: _Known, wanted: str) -> tuple[list[tuple[int, str]], str, str]:
    """What a search finds, what went wrong, and the name of the present category."""
    words, site = request[WORDS], request.app[SERVICES].site
    number = known.rules.category or site.policy.category
    if known.now.shop is None:
        return [], "", str(number)
    if not wanted:
        return [], "", request.app[_NAMES].get(number, "")
    try:
        tree = await request.app[SERVICES].categories(viewer_of(request).id)
    except CloudError:
        return [], words.gettext("VK does not answer right now. Try again in a minute"), ""
    names = {one.id: " › ".join(one.path) for one in tree}
    request.app[_NAMES].update(names)
    found = [(one.id, names[one.id]) for one in _search(tree, wanted)]
    error = "" if found else words.gettext("Nothing found. Try a shorter word")
    return found, error, names.get(number, "")


def _search(tree: Sequence[Category], wanted: str) -> list[Category]:
    """Categories in whose path all words occur; those whose own name has them come first."""
    parts = fold_for_search(wanted).split()
    hits = [one for one in tree if _has(" ".join(one.path), parts)]
    return sorted(hits, key=lambda one: not (one.path and _has(one.path[-1], parts)))[:FOUND]


def _has(text: str, parts: Sequence[str]) -> bool:
    folded = fold_for_search(text)
    return all(part in folded for part in parts)


async def save(request: web.Request) -> web.Response:
    """First says what a change will do; the second time, with `sure`, saves it."""
    sent = await request.post()
    part = str(sent.get("part", "rules"))
    known = await _load(request)
    if part == "category":
        return await _save_category(request, known, str(sent.get("category", "")))
    if part == "order":
        return await _save_order(request, known, {name: str(value) for name, value in sent.items()})
    policy = request.app[SERVICES].site.policy
    form = _fit(await filled(RulesForm, request), request, known.rules)
    is_good = form.validate()
    weight = form.text("weight").strip()
    if not (weight.isascii() and weight.isdecimal() and len(weight) < 7 and 1 <= int(weight) <= MOST_GRAMS):
        form.complain("weight", _BAD_WEIGHT)
        is_good = False
    if not is_good:
        return await _page(request, form, known, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return await _ask_or_save(request, known, _read(form, known.rules, policy), sent, "rules")


async def _save_category(request: web.Request, known: _Known, text: str) -> web.Response:
    if text == "":
        return await _keep(request, replace(known.rules, category=None))
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise web.HTTPBadRequest
    try:
        tree = await request.app[SERVICES].categories(viewer_of(request).id)
    except CloudError:
        await session.say(request, request[WORDS].gettext("VK does not answer right now. Try again in a minute"), "you")
        raise web.HTTPSeeOther("/sync/settings#category") from None
    if int(text) not in {one.id for one in tree}:
        raise web.HTTPBadRequest
    return await _keep(request, replace(known.rules, category=int(text)))


async def _save_order(request: web.Request, known: _Known, sent: Mapping[str, str]) -> web.Response:
    """Each store comes with the place that it shall have; a store that is moved goes before the one that is there."""
    places = []
    for now, store in enumerate(known.stores):
        text = sent.get(f"place-{now}", str(now + 1))
        if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= len(known.stores)):
            raise web.HTTPBadRequest
        wanted = int(text) - 1
        places.append((wanted + (0.5 if wanted > now else -0.5 if wanted < now else 0), now, store.id))
    order = tuple(store for _, _, store in sorted(places))
    if not known.rules.order and order == tuple(store.id for store in known.stores):
        order = ()
    return await _ask_or_save(request, known, replace(known.rules, order=order), sent, "order")


async def _ask_or_save(
    request: web.Request, known: _Known, wanted: Rules, sent: Mapping[str, Any], part: str
) -> web.Response:
    changed = wanted.changed(known.rules)
    if not changed:
        await session.say(request, request[WORDS].gettext("Nothing has changed"))
        raise web.HTTPSeeOther("/sync/settings")
    if sent.get("sure") == "1":
        return await _keep(request, wanted)
    user, site = viewer_of(request).id, request.app[SERVICES].site
    policy = replace(
        site.policy,
        weight_grams=wanted.weight or site.policy.weight_grams,
        stock_mode=wanted.stock or site.policy.stock_mode,
    )
    found = await request.app[SERVICES].database.read(
        lambda connection: rules.effects(connection, user, changed, policy)
    )
    again: Any = await request.post()
    context = {
        "lines": consequences(
            wanted,
            known.rules,
            found,
            stores=known.stores,
            site=site,
            words=request[WORDS],
            form=request[FORMAT],
        ),
        "fields": [
            (name, value)
            for name, value in again.items()
            if isinstance(value, str) and name not in {"csrf_token", "sure"}
        ],
        "part": part,
    }
    return await page(request, "sync/settings_sure.html", context)


async def _keep(request: web.Request, wanted: Rules) -> web.Response:
    services, user, at = request.app[SERVICES], viewer_of(request).id, request[CLIENT].at

    async def work(connection: AsyncConnection) -> bool:
        await choices.load_choice(connection, user)
        return await rules.save(connection, user, wanted, at=at)

    if await services.database.write(work):
        forget(request, user)
        await services.queue.nudge(user)
    await session.say(request, request[WORDS].gettext("Saved"))
    raise web.HTTPSeeOther("/sync/settings")


_NAMES: web.AppKey[dict[int, str]] = web.AppKey("category-names", dict)


def setup(app: web.Application) -> None:
    """Names of VK's categories, as searches bring them, so that the page can say what is chosen without asking VK."""
    app[_NAMES] = {}


routes = [
    web.get("/sync/settings", show, name="settings"),
    web.post("/sync/settings", save),
]
