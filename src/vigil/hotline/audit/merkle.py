"""The Merkle tree over the log (RFC 9162, section 2.1). Pure; leaves are the hashes of events, as 32 bytes.

A tree head commits to every event before it. An inclusion proof shows that one event is under a head; a consistency
proof shows that an older head is a beginning of a newer one, so that nothing was taken away or changed in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf: ``SHA-256(0x00 || data)``."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: ``SHA-256(0x01 || left || right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows by one leaf at a time and keeps only the roots of its perfect subtrees, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def append(self, data: bytes) -> None:
        """Add the next leaf."""
        made = leaf_hash(data)
        for _ in range(_trailing_ones(self.size)):
            made = node_hash(self._roots.pop(), made)
        self._roots.append(made)
        self.size += 1

    @property
    def root(self) -> bytes:
        """Root of the tree as it stands (32 bytes)."""
        if not self._roots:
            return EMPTY_ROOT
        made = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            made = node_hash(left, made)
        return made


def _trailing_ones(number: int) -> int:
    return ((number ^ (number + 1)).bit_length()) - 1


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over ``leaves``, by the definition: the slow twin of :class:`Frontier`."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    left = _left_half(len(leaves))
    return node_hash(root_of(leaves[:left]), root_of(leaves[left:]))


def _left_half(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """``PATH(index, leaves)``: the hashes beside the way from leaf ``index`` (from 0) up to the root."""
    if len(leaves) <= 1:
        return []
    left = _left_half(len(leaves))
    if index < left:
        return [*inclusion_proof(index, leaves[:left]), root_of(leaves[left:])]
    return [*inclusion_proof(index - left, leaves[left:]), root_of(leaves[:left])]


def consistency_proof(older: int, leaves: Sequence[bytes]) -> list[bytes]:
    """``PROOF(older, leaves)``: that the tree over the first ``older`` leaves (1 …) is a beginning of the whole."""
    return _subproof(older, leaves, whole=True)


def _subproof(older: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if older == len(leaves):
        return [] if whole else [root_of(leaves)]
    left = _left_half(len(leaves))
    if older <= left:
        return [*_subproof(older, leaves[:left], whole=whole), root_of(leaves[left:])]
    return [*_subproof(older - left, leaves[left:], whole=False), root_of(leaves[:left])]


def inclusion_holds(data: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether leaf ``data`` stands at ``index`` of the tree of ``size`` leaves with ``root`` (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, made = index, size - 1, leaf_hash(data)
    for beside in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            made = node_hash(beside, made)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            made = node_hash(made, beside)
        place, last = place >> 1, last >> 1
    return last == 0 and made == root


def consistency_holds(older: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of ``older`` leaves is a beginning of the tree of ``size`` leaves (section 2.1.4.2)."""
    if older == size:
        return not proof and old_root == root
    if not 0 < older < size or not proof:
        return False
    path = [old_root, *proof] if older & (older - 1) == 0 else list(proof)
    place, last = older - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for beside in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(beside, first), node_hash(beside, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, beside)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == root
