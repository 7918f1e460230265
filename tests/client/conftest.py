"""Fixtures of the edge room's world: a hotline that publishes, and where a node keeps its state."""

from __future__ import annotations

from tests.edge.conftest import hotline, state

__all__ = ["hotline", "state"]
