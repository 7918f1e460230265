"""The processes without a door, until they are told to stop (SIGTERM or SIGINT)."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Final

from django.conf import settings

from vigil.base.errors import UnavailableError
from vigil.base.signals import attend
from vigil.hotline.management import boot

KEYS_VARIABLE: Final = "VIGIL_SIGNING_KEYS"
AUDIT_KEY_VARIABLE: Final = "VIGIL_AUDIT_KEY"


def run_worker() -> None:
    """Run the capture worker, and beside it the clearing away of what is past its time."""
    boot.start("worker")
    from vigil.hotline.banks import exchanging
    from vigil.hotline.banks import housekeeping as bank_housekeeping  # rooms can be imported once Django has started
    from vigil.hotline.lists.exchange.policies import apply_all
    from vigil.hotline.management import upkeep
    from vigil.hotline.partners.sources import worker as sources
    from vigil.hotline.reports import housekeeping, mailbox
    from vigil.hotline.reports.worker import serve
    from vigil.hotline.retention import worker as retention
    from vigil.hotline.triage import worker as triage

    stop = _stop_on_signal()
    threading.Thread(target=housekeeping.serve, args=(stop,), daemon=True).start()
    for beside in (triage.serve, retention.serve, mailbox.serve, bank_housekeeping.serve, exchanging.serve, upkeep.serve):
        threading.Thread(target=beside, args=(stop,), daemon=True).start()
    threading.Thread(target=sources.serve, args=(stop, apply_all), daemon=True).start()
    serve(stop)


def run_office() -> None:
    """Run the list office; its environment alone names the folder of signing keys."""
    folder = os.environ.get(KEYS_VARIABLE)
    if not folder:
        raise UnavailableError(
            "keys_not_named", "The list office needs its signing keys.", mend=f"Set {KEYS_VARIABLE} to their folder."
        )
    boot.start("worker")
    from vigil.editions.keys import KeyRing  # only this process may load it
    from vigil.hotline.lists.office import Office

    stop = _stop_on_signal()
    _sign_tree_heads(stop)
    keys = Path(folder)
    Office(settings.EDITIONS, KeyRing.load(keys), keys / "workshop").run(stop)


def _sign_tree_heads(stop: threading.Event) -> None:
    """Beside the office: sign the state of the audit log every hour, where the environment names a key for that."""
    named = os.environ.get(AUDIT_KEY_VARIABLE)
    if named:
        from vigil.hotline.access.people import OFFICE
        from vigil.hotline.audit import headkeys, heads

        key = headkeys.load_key(Path(named))
        threading.Thread(target=heads.serve, args=(OFFICE, key, stop), daemon=True).start()


def _stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    attend({signal.SIGTERM: stop.set, signal.SIGINT: stop.set})
    return stop
