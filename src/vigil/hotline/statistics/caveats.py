"""The text that every figure of blocked requests carries, generated from the data (facts: counting, section 5).

It cannot be switched off: the only way to a figure is :func:`vigil.hotline.statistics.queries.overview`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigil.hotline.statistics.blocked import Blocked


def caveat_of(blocked: Blocked) -> str:
    """All parts that the data call for."""
    return " ".join(_parts(blocked))


def _parts(blocked: Blocked) -> Iterator[str]:
    yield _unit(blocked)
    yield _coverage(blocked)
    if len(blocked.rules) > 1:
        yield "The counting rules changed in this period: do not compare the days before with those after."
    if len(blocked.editions) > 1:
        yield f"{len(blocked.editions)} editions of the list were in force: a growing list alone raises the count."
    if blocked.suppressed:
        yield (
            f"{blocked.suppressed} small cells were not sent as numbers: the total may be too low by up to "
            f"{blocked.largest_error}."
        )
    if blocked.carried:
        yield f"{blocked.carried} came as sums of small numbers over a day or a week, in steps."
    if blocked.carried_weeks:
        yield f"{blocked.carried_weeks} of them are known by week only and stand under no day."
    if blocked.noisy:
        yield f"{blocked.noisy} vectors carry random noise, drawn once each, which protects single events."
    yield (
        "Pages loaded by pop-ups, redirects, spam or link scanners are counted too. Not seen: other networks, other resolvers, "
        "answers from caches, and single pages where a node sees only the host."
    )


def _unit(blocked: Blocked) -> str:
    rules = ", ".join(map(str, blocked.rules)) or "none yet"
    return (
        "One unit is a request for a page (or of unstated kind) that matched the list and was not served; counting rules: "
        f"{rules}. It is not a person, not a distinct request, and not proof of intent."
    )


def _coverage(blocked: Blocked) -> str:
    if not blocked.expected_hours:
        return "No enforcement node was enrolled in this period."
    share = min(100, round(100 * blocked.covered_hours / blocked.expected_hours))
    return (
        f"{blocked.nodes} of {blocked.enrolled} enrolled nodes reported; {blocked.covered_hours} of "
        f"{blocked.expected_hours} expected node-hours ({share} %) were covered. Missing hours are gaps, not zeros."
    )
