"""``python -m vigil.cli`` is the same as ``vigil``."""

from vigil.cli import main

main()
