"""Cases whose names look like one brand: proposed to whoever reads the case, with the reason; nothing is joined or closed.
Names of which a person said that they are no brand in common are not proposed again (see :mod:`.answering`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from vigil.hotline.access.people import Person
from vigil.hotline.reports.models import Report, Url
from vigil.hotline.triage.answering import names_apart
from vigil.hotline.triage.likeness import RULE, Reason, core_of, traces_of, why_alike
from vigil.hotline.triage.models import BrandTrace, Likeness

NAMES: Final = 200
"""Names that are looked at for one report."""
CASES: Final = 5
"""Cases that are proposed for one name: the newest."""
WORDS: Final = {
    Reason.AROUND: "the same name with words or numbers around it",
    Reason.DIGITS: "the same name with digits in place of letters",
    Reason.PLURAL: "the same name in the plural: often another site",
    Reason.MISSPELT: "a name that is spelt almost alike",
}


def do_propose(person: Person, report: Report, urls: Iterable[Url]) -> None:
    """Note which other cases may belong to the same brand, and keep the names for those to come. Inside the caller's
    transaction."""
    for domain in sorted({url.registrable_domain for url in urls if url.tld}):
        _keep(person, domain)
        for other, reason in _alike(domain):
            _propose(person, report, other, reason)


def _keep(person: Person, domain: str) -> None:
    core = core_of(domain)
    if core and not BrandTrace.objects.filter(domain=domain).exists():
        rows = [BrandTrace(domain=domain, trace=trace, created_by=person.label) for trace in sorted(traces_of(core))]
        BrandTrace.objects.bulk_create(rows, ignore_conflicts=True)


def _alike(domain: str) -> Iterator[tuple[str, Reason]]:
    core = core_of(domain)
    if not core:
        return
    near = BrandTrace.objects.filter(trace__in=traces_of(core)).exclude(domain=domain)
    names = near.order_by("domain").values_list("domain", flat=True).distinct()[:NAMES]
    alike = [(other, reason) for other in names if (reason := why_alike(domain, other)) is not None]
    apart = names_apart(domain) if alike else frozenset()
    yield from (found for found in alike if found[0] not in apart)


def _propose(person: Person, report: Report, domain: str, reason: Reason) -> None:
    found = Report.objects.filter(submissions__url__registrable_domain=domain, dedupe_of=None).exclude(pk=report.pk)
    cases = list(found.distinct().order_by("-received_at")[:CASES])
    there = set(Likeness.objects.filter(report=report, other__in=cases).values_list("other", flat=True))
    rows = [
        Likeness(report=report, other=case, reason=reason, rule_version=RULE, created_by=person.label)
        for case in cases
        if case.pk not in there
    ]
    Likeness.objects.bulk_create(rows, ignore_conflicts=True)
