"""The table ``[spoe]`` of the node's file."""

from __future__ import annotations

from typing import Literal

from vigil.edge.tables import Rule, Table, is_address, is_loopback


class Spoe(Table, frozen=True, kw_only=True):
    """The agent for HAProxy. ``open_to_network`` is needed off loopback: the protocol knows no passwords."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 9001
    open_to_network: bool = False
    on_unknown: Literal["refuse", "pass"] = "refuse"
    connections: int = 1000
    idle_seconds: float = 150.0
    hello_seconds: float = 5.0


def spoe_rules(spoe: Spoe) -> list[Rule]:
    """One row a rule."""
    return [
        ("spoe.host", is_address(spoe.host), "Give an IP address."),
        (
            "spoe.host",
            is_loopback(spoe.host) or spoe.open_to_network,
            "Set spoe.open_to_network = true if anyone who reaches the port may ask: SPOP knows no tokens.",
        ),
        ("spoe.port", 0 <= spoe.port <= 65535, "Use 0 to 65535; 0 takes any free port."),
        ("spoe.connections", 1 <= spoe.connections <= 100_000, "Use 1 to 100000."),
        ("spoe.idle_seconds", 0.1 <= spoe.idle_seconds <= 3600, "Use 0.1 to 3600 seconds."),
        ("spoe.hello_seconds", 0.1 <= spoe.hello_seconds <= 600, "Use 0.1 to 600 seconds."),
    ]
