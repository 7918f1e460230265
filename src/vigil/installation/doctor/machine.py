"""The machine: Python, the compiled kernel, the confinement of decoders, disk space."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import Final

from vigil.installation.doctor.finding import Finding, bad, good, note
from vigil.installation.doctor.patient import Patient

OLDEST: Final = (3, 11)
LITTLE_SPACE: Final = 2 * 1024**3
TOO_LITTLE_SPACE: Final = 200 * 1024**2


def python(_: Patient) -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < OLDEST:
        yield bad("Python", f"This is Python {version}.", f"Install Python {OLDEST[0]}.{OLDEST[1]} or newer.")
    else:
        yield good("Python", f"Python {version}.")


def kernel(_: Patient) -> Iterator[Finding]:
    """The compiled kernel agrees with its slow twin on one picture."""
    try:
        import numpy as np

        from vigil.match.hashing import pdq, pdq_twin
    except ImportError as error:
        yield bad("matching kernel", f"It cannot be loaded ({error.name}).", "Install Vigil again: `make setup`.")
        return
    rows, columns = np.mgrid[0:96, 0:128]
    picture = np.stack([rows * 2, columns, (rows * columns) % 251], axis=-1).astype(np.uint8)
    if pdq.hash_rgb(picture) == pdq_twin.hash_rgb(picture):
        yield good("matching kernel", "It agrees with its slow twin.")
    else:
        yield bad(
            "matching kernel", "It disagrees with its slow twin.", "Do not use this machine; compile anew: `make clean setup`."
        )


def decoders(_: Patient) -> Iterator[Finding]:
    """Hostile pictures are decoded behind these walls."""
    try:
        from vigil.media import Decoder
    except ImportError as error:
        yield bad("picture decoder", f"It cannot be loaded ({error.name}).", "Install the extra: pip install 'vigil[media]'.")
        return
    with Decoder() as decoder:
        walls = decoder.confinement
    active = ", ".join(wall.name for wall in walls if wall.active)
    missing = ", ".join(f"{wall.name} ({wall.note})" for wall in walls if not wall.active)
    if missing:
        yield note(
            "picture decoder", f"Active walls: {active}. Missing: {missing}.", "A newer kernel or container profile adds them."
        )
    else:
        yield good("picture decoder", f"Active walls: {active}.")


def disk(patient: Patient) -> Iterator[Finding]:
    if not patient.folder.root.exists():
        return
    free = shutil.disk_usage(patient.folder.root).free
    said = f"{free / 1024**3:.1f} GiB free."
    if free < TOO_LITTLE_SPACE:
        yield bad("disk", said, "Make room: reports and editions cannot be saved on a full disk.")
    elif free < LITTLE_SPACE:
        yield note("disk", said, "Make room soon.")
    else:
        yield good("disk", said)
