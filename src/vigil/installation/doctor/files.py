"""The data folder: configuration, secrets, signing keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vigil.base.errors import VigilError
from vigil.edge import config as edge_config
from vigil.hotline.settings import config as hotline_config
from vigil.hotline.settings.keyfiles import load_secrets
from vigil.installation.doctor.finding import Finding, bad, good, note
from vigil.installation.doctor.patient import Patient

OTHERS: Final = 0o077


def of_error(subject: str, error: VigilError) -> Finding:
    """An error of ours as a finding: it already says what, where and what to do."""
    where = f" Where: {error.where}." if error.where else ""
    return bad(subject, f"{error.what}{where}", error.mend or "See the guide of this part.")


def data_folder(patient: Patient) -> Iterator[Finding]:
    root = patient.folder.root
    if not root.exists():
        yield bad("data folder", f"{root} does not exist.", "Start with `vigil up`, or name another folder with --data.")
    elif not patient.folder.prepared:
        yield bad("data folder", f"{root} holds no installation.", "Start with `vigil up --data` and this folder.")
    elif root.stat().st_mode & OTHERS:
        yield bad("data folder", "Others on this machine can look into it.", f"Run: chmod 700 {root}")
    else:
        yield good("data folder", f"{root}, readable by its owner only.")


def configuration(patient: Patient) -> Iterator[Finding]:
    if not patient.folder.prepared:
        return
    try:
        hotline_config.read(patient.folder.hotline_config)
        yield good("hotline configuration", "It is valid.")
    except VigilError as error:
        yield of_error("hotline configuration", error)
    try:
        loaded = edge_config.load(patient.folder.edge_config)
        yield good("edge configuration", f"It is valid; digest {loaded.digest[:12]}.")
        for sentence in edge_config.warnings(loaded):
            yield note("edge configuration", sentence, "See docs/guides/edge-node.md.")
    except VigilError as error:
        yield of_error("edge configuration", error)


def secrets(patient: Patient) -> Iterator[Finding]:
    if not patient.folder.prepared:
        return
    try:
        load_secrets(patient.folder.secrets)
        yield good("secrets", "All are there, readable by their owner only.")
    except VigilError as error:
        yield of_error("secrets", error)
    except ValueError:
        yield bad(
            "secrets", "A secret file is damaged.", "Bring it back from your backup; sealed fields cannot be read without it."
        )


def signing_keys(patient: Patient) -> Iterator[Finding]:
    keys = patient.folder.keys
    if not patient.folder.prepared:
        return
    if not keys.exists():
        yield bad(
            "signing keys",
            "There are none.",
            "Bring them back from your backup: nodes trust no others. "
            f"Only before the first edition: vigil edition keys init {keys}",
        )
        return
    exposed = [path for path in [keys, *keys.rglob("*.pem")] if path.stat().st_mode & OTHERS]
    if exposed:
        yield bad("signing keys", f"Others can read {_names(exposed)}.", f"Run: chmod -R go-rwx {keys}")
    elif patient.deploy and any((keys / "offline").glob("*.pem")):
        mend = f"Move {keys / 'offline'} to hardware or paper that different people keep, and delete it here."
        yield note("signing keys", "The root keys lie on this machine.", mend)
    else:
        yield good("signing keys", "They are there, readable by their owner only.")


def _names(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths)
