"""Starts the whole lab on loopback and says where everything is; Ctrl-C ends it.

Usage: python tools/lab.py
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.lab.whole import PAGE, lab


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vigil-lab-") as folder, lab(Path(folder)) as running:
        for name, port in running.ports.items():
            print(f"{name:10} 127.0.0.1:{port}")
        print(f"\nA browser with the proxy 127.0.0.1:{running.ports['squid']} meets the block page at {PAGE}")
        print(f"dig @127.0.0.1 -p {running.ports['bind']} host.example")
        print(f"vigil edge certify --config {running.config}")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nThe lab ends.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
