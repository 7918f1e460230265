"""Starts the whole lab on loopback and says where everything is; Ctrl-C ends it.

Usage: python tools/lab.py
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.lab.whole import PAGE, lab


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # however it is ended, what it started ends with it
    print("The lab starts; this takes a minute.", flush=True)
    with tempfile.TemporaryDirectory(prefix="vigil-lab-") as folder, lab(Path(folder)) as running:
        for name, port in running.ports.items():
            print(f"{name:10} 127.0.0.1:{port}")
        print(f"\nA browser with the proxy 127.0.0.1:{running.ports['squid']} meets the block page at {PAGE}")
        print(f"curl -iH 'Host: quimber.example' http://127.0.0.1:{running.ports['nginx']}/zorblat     the page through nginx")
        print(f"dig @127.0.0.1 -p {running.ports['powerdns']} host.example     NXDOMAIN, with EDE 15 (Blocked)")
        print(f"dig @127.0.0.1 -p {running.ports['bind']} host.example     NXDOMAIN from the policy zone; BIND 9.18 gives no EDE")
        print(f"{Path(sys.executable).parent / 'vigil'} edge certify --config {running.config}")
        print("\nCtrl-C ends the lab, and removes its folder.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nThe lab ends.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
