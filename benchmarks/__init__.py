"""Vigil measured beside its peers; see harness.py."""
