"""What a change of the settings will do, said with its numbers before it is saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from evosync.db.rules import Effects, Rules
from evosync.domain.catalog import Store
from evosync.domain.policy import Gone, Policy, StockMode
from evosync.web.services import Site
from evosync.words.format import Format
from evosync.words.language import Words
from evosync.words.statuses import KINDS


def consequences(
    wanted: Rules,
    before: Rules,
    found: Effects,
    *,
    stores: Sequence[Store],
    site: Site,
    words: Words,
    form: Format,
) -> list[str]:
    """What a change will do, in sentences with numbers."""
    saying = _Saying(wanted, before, found, words, form, site.policy)
    lines: list[str] = []
    for name in wanted.changed(before):
        match name:
            case "interval":
                seconds = wanted.interval or site.refresh_interval_seconds
                lines.append(
                    words.gettext(
                        "Everything is compared anew: every %(time)s. Changes at the till go on to follow at once.",
                        time=form.span(timedelta(seconds=seconds)),
                    )
                )
            case "order":
                names = {store.id: store.name for store in stores}
                lines.append(saying.order(names.get(wanted.order[0], "") if wanted.order else ""))
            case _:
                lines.extend(getattr(saying, name)())
    return lines


@dataclass(frozen=True, slots=True)
class _Saying:
    wanted: Rules
    before: Rules
    found: Effects
    words: Words
    form: Format
    policy: Policy

    def weight(self) -> list[str]:
        grams = self.form.number(self.wanted.weight or self.policy.weight_grams)
        return [
            self.words.ngettext(
                "The price of %(num)s listing changes: it will be for %(grams)s g.",
                "The price of %(num)s listings changes: it will be for %(grams)s g.",
                self.found.weighed,
                num=self.form.number(self.found.weighed),
                grams=grams,
            )
        ]

    def stock(self) -> list[str]:
        if (self.wanted.stock or self.policy.stock_mode) is StockMode.CONSTANT:
            text = self.words.ngettext(
                "%(num)s listing will always be shown as in stock.",
                "%(num)s listings will always be shown as in stock.",
                self.found.listed,
                num=self.form.number(self.found.listed),
            )
            return [text]
        return [
            self.words.ngettext(
                "The stock of %(num)s listing will be as at the till.",
                "The stock of %(num)s listings will be as at the till.",
                self.found.listed,
                num=self.form.number(self.found.listed),
            ),
            self.words.ngettext(
                "%(num)s of them will be shown as sold out at once.",
                "%(num)s of them will be shown as sold out at once.",
                self.found.sold_out,
                num=self.form.number(self.found.sold_out),
            ),
        ]

    def gone(self) -> list[str]:
        if (self.wanted.gone or self.policy.when_gone) is Gone.HIDE:
            return [
                self.words.ngettext(
                    "%(num)s listing whose product is gone from the till will be hidden.",
                    "%(num)s listings whose products are gone from the till will be hidden.",
                    self.found.gone,
                    num=self.form.number(self.found.gone),
                )
            ]
        return [
            self.words.ngettext(
                "Listings of goods gone from the till are left alone: %(num)s now. What is hidden stays so.",
                "Listings of goods gone from the till are left alone: %(num)s now. What is hidden stays so.",
                self.found.gone,
                num=self.form.number(self.found.gone),
            )
        ]

    def switched_off(self) -> list[str]:
        if (self.wanted.switched_off or self.policy.when_switched_off) is Gone.HIDE:
            return [
                self.words.ngettext(
                    "%(num)s listing of switched-off goods will be hidden. It can be undone.",
                    "%(num)s listings of switched-off goods will be hidden. It can be undone.",
                    self.found.switched_off,
                    num=self.form.number(self.found.switched_off),
                )
            ]
        return [
            self.words.gettext("Goods that you switch off stay in the shop as they are. What is hidden stays hidden.")
        ]

    def kinds(self) -> list[str]:
        return [
            *(
                self.words.ngettext(
                    "%(kind)s: %(num)s product of the chosen groups may go to VK.",
                    "%(kind)s: %(num)s products of the chosen groups may go to VK.",
                    self.found.kinds.get(kind, 0),
                    num=self.form.number(self.found.kinds.get(kind, 0)),
                    kind=self._kind(kind),
                )
                for kind in sorted(self.wanted.kinds - self.before.kinds)
            ),
            *(
                self.words.ngettext(
                    "%(kind)s: listings of %(num)s product will be hidden.",
                    "%(kind)s: listings of %(num)s products will be hidden.",
                    self.found.kinds.get(kind, 0),
                    num=self.form.number(self.found.kinds.get(kind, 0)),
                    kind=self._kind(kind),
                )
                for kind in sorted(self.before.kinds - self.wanted.kinds)
            ),
        ]

    def _kind(self, kind: str) -> str:
        return KINDS[kind].said(self.words.language.value).capitalize() if kind in KINDS else kind

    def order(self, first: str) -> str:
        return self.words.ngettext(
            "%(num)s product is sold in several stores: name, price and text will be taken from “%(store)s” first.",
            "%(num)s products are sold in several stores: name, price and text will be taken from “%(store)s” first.",
            self.found.shared,
            num=self.form.number(self.found.shared),
            store=first,
        )
