"""Figures: what came in, what was found, what is listed, what was not served; each with its definition and caveat."""
