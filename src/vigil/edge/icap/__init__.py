"""The ICAP door of a node (RFC 3507): ``wire``, ``parser``, ``embedded`` and ``exchange`` do no I/O; ``server`` is thin."""
