"""What a case belongs to: clusters by rules, version 2, with codes that say nothing.

site_family    three or more cases under one registrable domain
tld_hop        the same name registered under two or more endings
brand          the same name with other numbers behind it, whatever the endings: ``zorblat7.example``, ``zorblat-12.test``
duplicate_set  the same page (by SHA-256) captured at two or more addresses
campaign       the same words in three or more reports
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from vigil.hotline.access.entity import new_reference
from vigil.hotline.access.people import Person
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.audit.actions import record
from vigil.hotline.reports.models import Capture, Report, Url
from vigil.hotline.triage import codes
from vigil.hotline.triage.models import Cluster, ClusterKind, Member, Triage

RULE: Final = "2"  # 2: brands across numbers
FAMILY: Final = 3
CAMPAIGN: Final = 3
SHORTEST_BRAND: Final = 5
NO_BRANDS: Final = frozenset(
    {"files", "forum", "image", "images", "media", "photo", "photos", "picture", "pictures", "server", "share", "video", "videos"}
)
"""Names that say what a site does, not whose it is."""
NUMBERED: Final = re.compile(r"[-_0-9]+$")
MOST: Final = 500
"""Members that are added at once; those beyond join as they are sorted themselves."""


@dataclass(frozen=True, slots=True, repr=False)
class Bond:
    """What cases share: the kind, its key (never stored), and the cases."""

    kind: ClusterKind
    key: str
    reports: tuple[Report, ...]


def urls_of(report: Report) -> list[Url]:
    """The addresses that a report names."""
    return list(Url.objects.filter(submissions__report=report).distinct())


def same_host(report: Report, urls: Iterable[Url]) -> int:
    """How many other cases name the same hosts; duplicates are not counted."""
    hosts = {url.host for url in urls}
    if not hosts:
        return 0
    others = Report.objects.filter(submissions__url__host__in=hosts, dedupe_of=None).exclude(pk=report.pk)
    return others.values("pk").distinct().count()


def bonds_of(report: Report, urls: list[Url], words_digest: str) -> Iterator[Bond]:
    """Everything that ties ``report`` to other cases."""
    for url in {url.registrable_domain: url for url in urls}.values():
        yield from _site(url)
        yield from _hop(url)
        yield from _brand(url)
    for page in set(Capture.objects.filter(report=report).exclude(page_sha256="").values_list("page_sha256", flat=True)):
        captures = Capture.objects.filter(page_sha256=page)
        if captures.values("url").distinct().count() > 1:
            yield Bond(ClusterKind.DUPLICATE_SET, page, _cases(Report.objects.filter(captures__in=captures)))
    if words_digest:
        found = Report.objects.filter(triages__in=Triage.objects.filter(words_digest=words_digest))
        if found.values("pk").distinct().count() >= CAMPAIGN:
            yield Bond(ClusterKind.CAMPAIGN, words_digest, _cases(found))


def _site(url: Url) -> Iterator[Bond]:
    found = Report.objects.filter(submissions__url__registrable_domain=url.registrable_domain, dedupe_of=None)
    cases = _cases(found)
    if len(cases) >= FAMILY:
        yield Bond(ClusterKind.SITE_FAMILY, url.registrable_domain, cases)


def _hop(url: Url) -> Iterator[Bond]:
    """The same name under another ending: the likeliest sign of one brand."""
    name = url.registrable_domain.partition(".")[0]
    if not url.tld or len(name) < 4:
        return
    alike = Url.objects.filter(registrable_domain__startswith=f"{name}.").values("registrable_domain").distinct()
    if alike.count() > 1:
        found = Report.objects.filter(submissions__url__registrable_domain__startswith=f"{name}.", dedupe_of=None)
        yield Bond(ClusterKind.TLD_HOP, name, _cases(found))


def brand_of(domain: str) -> str:
    """The name in a registrable domain without the numbers behind it; empty where that is too short or says too little."""
    name = NUMBERED.sub("", domain.partition(".")[0])
    return name if len(name) >= SHORTEST_BRAND and name not in NO_BRANDS and not name.startswith("xn--") else ""


def _brand(url: Url) -> Iterator[Bond]:
    """Numbered mirrors: who is blocked under one name comes back under the next number."""
    brand = brand_of(url.registrable_domain)
    if not url.tld or not brand:
        return
    near = Url.objects.filter(registrable_domain__startswith=brand).values_list("registrable_domain", flat=True)
    alike = {domain for domain in near.order_by("registrable_domain").distinct()[:MOST] if brand_of(domain) == brand}
    if len({domain.partition(".")[0] for domain in alike}) > 1:
        found = Report.objects.filter(submissions__url__registrable_domain__in=sorted(alike), dedupe_of=None)
        yield Bond(ClusterKind.BRAND, brand, _cases(found))


def _cases(found: QuerySet[Report]) -> tuple[Report, ...]:
    return tuple(found.distinct().order_by("-received_at")[:MOST])


def do_join(person: Person, bonds: Iterable[Bond]) -> None:
    """Put cases into their clusters, making those that are new. Inside the caller's transaction."""
    for bond in bonds:
        cluster, _ = Cluster.objects.get_or_create(
            kind=bond.kind,
            key_digest=matching_digest(f"cluster-{bond.kind}", bond.key),
            defaults={"label_code": new_reference(2, 4), "rule_version": RULE, "created_by": person.label},
        )
        there = set(cluster.members.values_list("report", flat=True))
        for case in bond.reports:
            if case.pk not in there:
                Member(cluster=cluster, report=case, created_by=person.label).save()
                record(person, codes.CLUSTERED, case, cluster=cluster.label_code, rule=RULE)
