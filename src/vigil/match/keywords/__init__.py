"""Normalisation of text and the words of a keyword list. The matcher is :mod:`vigil.match.index.keyword`."""

from vigil.match.keywords.terms import Allowed, Hit, Term, Together
from vigil.match.keywords.views import plain_text, skeleton_text

__all__ = ["Allowed", "Hit", "Term", "Together", "plain_text", "skeleton_text"]
