"""Debian's nginx, unprivileged, with everything it writes in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TEMPORARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def configured(program: str, place: Path, inside: str, log: str = "access_log off;") -> list[str]:
    """The command that runs nginx with ``inside`` in its ``http`` block."""
    kept = " ".join(f"{name}_temp_path {place}/{name};" for name in TEMPORARY)
    config = place / "nginx.conf"
    config.write_text(
        f"daemon off;\npid {place}/nginx.pid;\nerror_log {place}/error.log;\nworker_processes 1;\n"
        f"events {{ worker_connections 64; }}\nhttp {{\n{log}\n{kept}\n{inside}\n}}\n"
    )
    return [program, "-c", str(config), "-e", str(place / "error.log")]
