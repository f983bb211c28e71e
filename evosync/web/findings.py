"""What a guard found, as the values that its card's sentences need."""

from evosync.domain.guard import Finding
from evosync.words.format import Format


def values_of(finding: Finding | None, form: Format) -> dict[str, str]:
    if finding is None:
        return {}
    if finding.code == "currency":
        return {"currency": finding.name or str(finding.got)}
    return {"wanted": form.price(finding.wanted), "got": form.price(finding.got)}
