"""Bulk scanning of an operator's own archive against an edition, on a process pool or on Ray."""
