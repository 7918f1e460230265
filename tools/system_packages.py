"""Makes sure that the system packages of requirements/system-packages.txt are there.

As root on Debian they are installed; elsewhere the missing ones are named. With CI=true, or with
VIGIL_REQUIRE_SYSTEM=1, a missing one is a failure, never a skip.

Usage: python3 tools/system_packages.py [GROUP…]      (default: build test)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).resolve().parent.parent / "requirements" / "system-packages.txt"


class Package(NamedTuple):
    group: str
    name: str
    shows: str
    purpose: str

    def present(self) -> bool:
        return self.shows == "-" or Path(self.shows).exists()


def packages(groups: set[str]) -> list[Package]:
    rows = (line.split(None, 3) for line in LIST.read_text().splitlines() if line and not line.startswith("#"))
    return [Package(*row) for row in rows if row[0] in groups]


def missing(groups: set[str]) -> list[Package]:
    return [package for package in packages(groups) if not package.present()]


def install(wanted: list[Package]) -> None:
    names = [package.name for package in wanted]
    print("installing system packages:", " ".join(names), flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], check=True, env=environment, stdout=subprocess.DEVNULL)
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *names]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def main(arguments: list[str]) -> int:
    groups = set(arguments) or {"build", "test"}
    wanted = missing(groups)
    if wanted and os.geteuid() == 0 and shutil.which("apt-get"):
        install(wanted)
        wanted = missing(groups)
    if not wanted:
        return 0
    print("These system packages are missing:")
    for package in wanted:
        print(f"  {package.name:22} {package.purpose}")
    print("Install them with your system's package manager, then run the same command again.")
    strict = os.environ.get("CI") == "true" or os.environ.get("VIGIL_REQUIRE_SYSTEM") == "1"
    return 1 if strict or "test" in groups else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
