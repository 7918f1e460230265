"""What a mapping says over every combination of its inputs, and what a new one would change. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final

from vigil.hotline.schemes.mapping import Rules, combinations, compute

SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class TestReport:
    """The test report of a proposed mapping.

    ``rows``     combinations tried; ``counts`` how often each value came out.
    ``failed``   examples that came out otherwise: (labels, wanted, found). A mapping with one is not put in force.
    ``unshown``  values that no example asks for. ``changed`` rows that differ from the mapping in force; ``shown`` some of them.
    """

    rows: int
    counts: dict[str, int]
    failed: list[dict[str, str]]
    unshown: list[str]
    changed: int
    shown: list[dict[str, str]]

    __test__ = False  # not a class of tests

    @property
    def passed(self) -> bool:
        """True where every example holds and every value has one."""
        return not self.failed and not self.unshown

    def data(self) -> dict[str, Any]:
        """As stored with the mapping."""
        return {**asdict(self), "passed": self.passed}


def report_on(rules: Rules, before: Rules | None = None) -> TestReport:
    """Try every example, then every combination, beside the mapping in force."""
    failed = []
    for example in rules.examples:
        found = compute(rules, {group: frozenset(given) for group, given in example.labels.items()}).value
        if found != example.value:
            failed.append({"labels": _words(example.labels), "wanted": example.value, "found": found})
    unshown = sorted(set(rules.values) - {example.value for example in rules.examples})
    counts: Counter[str] = Counter()
    shown: list[dict[str, str]] = []
    rows = changed = 0
    for labels in combinations(rules):
        value = compute(rules, labels).value
        rows, counts[value] = rows + 1, counts[value] + 1
        old = compute(before, labels).value if before else value
        if old != value:
            changed += 1
            if len(shown) < SHOWN:
                shown.append({"labels": _words({k: tuple(v) for k, v in labels.items()}), "before": old, "after": value})
    return TestReport(rows, dict(sorted(counts.items())), failed, unshown, changed, shown)


def _words(labels: dict[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{group}={'+'.join(sorted(given))}" for group, given in labels.items() if any(given)) or "no label"
