"""The units of systemd are read by systemd itself, and are hardened."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
HARDENING = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictNamespaces": "yes",
    "LimitCORE": "0",
    "UMask": "0077",
}


def service(unit: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return dict(parser["Service"])


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_hardened_and_unprivileged(unit: Path) -> None:
    found = service(unit)
    assert {name: found.get(name) for name in HARDENING} == HARDENING
    assert found["User"] not in ("root", "")
    assert found["ExecStart"].startswith("/opt/vigil/bin/vigil ")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_its_command_exists(unit: Path) -> None:
    words = service(unit)["ExecStart"].split()[1:]
    verb = words[: next(place for place, word in enumerate(words) if word.startswith("-"))]
    from typer.testing import CliRunner

    from vigil.cli import app

    assert CliRunner().invoke(app, [*verb, "--help"]).exit_code == 0


def test_systemd_can_read_them() -> None:
    """Where systemd is there; a build machine in a container may not have it, and the two tests above stand alone."""
    try:
        found = subprocess.run(["systemd-analyze", "--version"], capture_output=True, check=False)
    except FileNotFoundError:
        return
    if found.returncode == 0:
        checked = subprocess.run(["systemd-analyze", "verify", *map(str, UNITS)], capture_output=True, text=True, check=False)
        wrong = [line for line in checked.stderr.splitlines() if "Unknown" in line or "Failed to parse" in line]
        assert wrong == []
