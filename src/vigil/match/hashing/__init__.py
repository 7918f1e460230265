"""Hashes: one file per signal, and a registry of them all."""

from vigil.match.hashing.algorithm import Algorithm, Kind
from vigil.match.hashing.registry import ALGORITHMS, algorithm_named, register

__all__ = ["ALGORITHMS", "Algorithm", "Kind", "algorithm_named", "register"]
