"""Vigil: from a report to a block. See ARCHITECTURE.md for the map of rooms."""

__version__ = "0.1.0"
