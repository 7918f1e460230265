"""The HTTP door of a node: requests in, verdicts out. ``requests`` and ``replies`` are pure; ``server`` is thin."""
