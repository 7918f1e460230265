"""All examinations, in the order in which their findings are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from vigil.installation.doctor import files, life, machine
from vigil.installation.doctor.finding import Finding
from vigil.installation.doctor.patient import Patient

Examination = Callable[[Patient], Iterable[Finding]]

ALL: Final[tuple[Examination, ...]] = (
    machine.python,
    machine.kernel,
    machine.decoders,
    files.data_folder,
    machine.disk,
    files.configuration,
    files.secrets,
    files.signing_keys,
    life.clock,
    life.ports,
    life.database,
    life.retention,
    life.edition,
    life.people,
    life.deploy,
)


def examine(patient: Patient) -> list[Finding]:
    """The findings of all examinations."""
    return [finding for examination in ALL for finding in examination(patient)]
