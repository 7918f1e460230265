"""Runs the demo's outside world and its provider: ``python -m vigil.installation.demo WORLD PROVIDER EDGE CONSOLE PEOPLE``."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from vigil.installation.demo import front, provider, world
from vigil.installation.prepare import LOOPBACK


def main(arguments: list[str]) -> None:
    world_port, provider_port, edge_port, console_port = (int(text) for text in arguments[:4])
    desk = front.FrontPage(Path(arguments[4]), console_port, provider_port)
    edge, origin = provider.Peer(LOOPBACK, edge_port), provider.Peer(LOOPBACK, world_port)
    servers = [world.serve(LOOPBACK, world_port, desk.render), provider.serve(LOOPBACK, provider_port, edge, origin)]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
