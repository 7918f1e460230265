"""Errors, limits, clock, bounded reader, redaction: what every room may use. Kept small."""
