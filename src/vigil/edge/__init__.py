"""Enforcement node: an edition in, verdicts out, aggregate counts back."""
