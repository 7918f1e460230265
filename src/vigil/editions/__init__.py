"""Signed, numbered states of a list: build, sign, publish, verify, fetch, load."""
