"""The tree's arithmetic against public vectors, its slow twin, and every proof of small trees."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vigil.hotline.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_holds,
    consistency_proof,
    inclusion_holds,
    inclusion_proof,
    root_of,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "merkle" / "roots.json").read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in VECTORS["leaves"]]
MANY = [bytes([n, n]) for n in range(70)]


def grown(leaves: list[bytes]) -> bytes:
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root


def test_roots_are_those_of_the_public_vectors() -> None:
    for size, root in enumerate(VECTORS["roots"], start=1):
        assert root_of(LEAVES[:size]).hex() == grown(LEAVES[:size]).hex() == root
    assert root_of([]) == grown([]) == EMPTY_ROOT


@given(st.lists(st.binary(max_size=8), max_size=200))
def test_a_growing_tree_is_the_tree_by_definition(leaves: list[bytes]) -> None:
    assert grown(leaves) == root_of(leaves)


def test_every_event_is_proven_under_every_head_and_no_other_is() -> None:
    for size in range(1, len(MANY)):
        root = root_of(MANY[:size])
        for index in range(size):
            proof = inclusion_proof(index, MANY[:size])
            assert inclusion_holds(MANY[index], index, size, proof, root)
            assert not inclusion_holds(b"other", index, size, proof, root)
            assert not inclusion_holds(MANY[index], (index + 1) % size, size, proof, root) or size == 1
            assert not inclusion_holds(MANY[index], index, size, [*proof, root], root)


def test_every_older_head_is_proven_a_beginning_and_no_other_is() -> None:
    for size in range(1, len(MANY)):
        root = root_of(MANY[:size])
        for older in range(1, size + 1):
            proof, old_root = consistency_proof(older, MANY[:size]), root_of(MANY[:older])
            assert consistency_holds(older, old_root, size, root, proof)
            changed = [b"changed", *MANY[1:older]]
            assert not consistency_holds(older, root_of(changed), size, root, proof)
            if proof:
                assert not consistency_holds(older, old_root, size, root, proof[:-1])
                assert not consistency_holds(older, old_root, size, root, [*proof, proof[-1]])


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=12), st.integers(-2, 40), st.integers(-2, 40))
def test_nonsense_proves_nothing(proof: list[bytes], a: int, b: int) -> None:
    root = root_of(MANY)
    assert not inclusion_holds(b"stranger", a, b, proof, root)
    assert not consistency_holds(a, b"\0" * 32, b, root, proof)
