"""Names that look like one brand, and harmless ones that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.hotline.triage.likeness import Reason, core_of, folded, one_slip_apart, singular, traces_of, why_alike

NAMES = st.text("abcdeo01", min_size=5, max_size=9)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("www2-quimber.test", Reason.AROUND),
        ("quimber-mirror7.invalid", Reason.AROUND),
        ("new-quimber-3.example", Reason.AROUND),
        ("mirror-quimber.example", Reason.AROUND),
        ("qu1mber.example", Reason.MISSPELT),  # a 1 stands for an l, and an l for an i is a slip
        ("quimb3r.example", Reason.DIGITS),
        ("www-quimb3r.test", Reason.DIGITS),
        ("quinber.example", Reason.MISSPELT),
        ("quimbber.example", Reason.MISSPELT),
        ("qiumber.example", Reason.MISSPELT),
        ("quimbers.example", Reason.PLURAL),
        ("quimb3rs.example", Reason.PLURAL),
        ("www-quimbers.example", Reason.PLURAL),
    ],
)
def test_a_name_is_like_a_brand_for_a_reason(other: str, reason: Reason) -> None:
    assert why_alike("quimber.example", other) is reason
    assert why_alike(other, "quimber.example") is reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("quimber.example", "timber.example"),  # two letters
        ("quimber.example", "quimber-news.example"),  # another word is another name
        ("quimber.example", "quimbergarden.example"),
        ("quimber.example", "number.example"),
        ("grelm.example", "gremm.example"),  # short names are a slip apart by chance
        ("pandor.example", "pandora.example"),
        ("photos.example", "www-photos.test"),  # says what it does, not whose it is
        ("mirror7.example", "mirror8.example"),
        ("gallery.example", "gallary.example"),
        ("xn--quimber-abc.example", "xn--quimber-abd.example"),
        ("1234567.example", "1234568.example"),
        ("quimber.example", "quimber.test"),  # the same name is joined, not proposed
        ("quimber7.example", "quimber8.test"),
    ],
)
def test_harmless_names_are_like_nothing(one: str, other: str) -> None:
    assert why_alike(one, other) is None and why_alike(other, one) is None


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("zorblaties", "zorblaty"), ("pandorches", "pandorch"), ("vorlundxes", "vorlundx"), ("triskels", "triskel"),
        ("quimbress", "quimbress"), ("triskelus", "triskelus"), ("vorlundis", "vorlundis"),
    ],
)  # fmt: skip
def test_plurals_have_a_reason_of_their_own(plural: str, one: str) -> None:
    """Endings that only look like a plural are none; and the index finds what the rule says."""
    assert singular(plural) == one
    if plural != one:
        assert why_alike(f"{plural}.example", f"{one}.test") is why_alike(f"{one}.test", f"{plural}.example") is Reason.PLURAL
        assert traces_of(plural) & traces_of(one)


def test_short_plurals_are_like_nothing() -> None:
    assert why_alike("grelm.example", "grelms.example") is None


def slips(name: str) -> set[str]:
    """The slow obvious way: every name that is one slip away."""
    letters = "abcdeo01"
    cut = [(name[:place], name[place:]) for place in range(len(name) + 1)]
    return (
        {a + b[1:] for a, b in cut if b}
        | {a + letter + b[1:] for a, b in cut if b for letter in letters}
        | {a + letter + b for a, b in cut for letter in letters}
        | {a + b[1] + b[0] + b[2:] for a, b in cut if len(b) > 1}
    ) - {name}


@given(NAMES, NAMES)
def test_one_slip_is_what_the_slow_way_says(one: str, other: str) -> None:
    for near in [other, *sorted(slips(one))[:40]]:
        if near != one:
            assert one_slip_apart(one, near) is (near in slips(one)) is one_slip_apart(near, one)


@given(NAMES.map(lambda name: f"q{name}x"))
def test_names_that_are_alike_share_a_trace(name: str) -> None:
    """Nothing that the rule would propose is missed by the index."""
    for near in sorted(slips(name)):
        if why_alike(f"{name}.example", f"{near}.example") is not None:
            assert traces_of(core_of(name)) & traces_of(core_of(near)), (name, near)


def test_digits_are_read_as_letters() -> None:
    assert folded("z0r81a7") == "zorblat"
