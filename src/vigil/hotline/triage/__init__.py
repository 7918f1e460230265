"""Sorting what arrives before anybody looks: known, spam, urgent, related."""
