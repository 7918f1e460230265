"""The way of one hash through the platform's own bank, seen from outside: who may, who is told, where it matches, how it ends."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from tests.hma.world import Installation, Server, until


def log_of(vigil: Installation, out: Path) -> list[dict[str, Any]]:
    """The events of the audit log that an auditor is handed."""
    vigil.vigil("hotline", "audit", "export", "--out", str(out))
    return [json.loads(line) for line in out.read_text().splitlines()]


def everything_below(folder: Path) -> bytes:
    """All bytes of all files, of what nobody is writing at this moment; databases with their journals too."""
    found = b""
    for path in sorted(folder.rglob("*")):
        try:
            found += path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        except OSError:
            continue
    return found


def test_a_banked_hash_from_the_interface_to_the_node_and_away(vigil: Installation, tmp_path: Path) -> None:
    """The policy of two people is in force here (without one nothing is banked: ``test_nothing_is_banked_without_a_policy``)."""
    server, value, note = Server(vigil.base), secrets.token_hex(32), f"note {secrets.token_hex(8)}"
    bank = server.new_bank()
    number = server.banked(bank, pdq=value)
    assert server.send("PUT", f"/c/bank/{bank}/content/{number}", {"note": note}).status == 200
    until(lambda: bank in server.lookup("pdq", value))
    assert server.lookup("pdq", value)[bank] == [{"bank_content_id": number, "distance": "0"}]

    assert server.ask("DELETE", f"/c/bank/{bank}/content/{number}").status == 200
    until(lambda: bank not in server.lookup("pdq", value))
    raw = server.get(f"/m/raw_lookup?signal_type=pdq&signal={value}").json
    assert raw == {"matches": []}
    assert server.get(f"/c/bank/{bank}/content/{number}").status == 404

    vigil.vigil("hotline", "audit", "verify")
    events = [each for each in log_of(vigil, tmp_path / "log") if f"bank_content:{number}" == each.get("subject")]
    assert [each["code"] for each in events] == ["bank.content_added", "bank.content_changed", "bank.content_deleted"]
    assert all(each["actor"].startswith("machine:") for each in events), "each change says who made it"
    kept = everything_below(vigil.folder.root)
    for told in (note, bank):
        assert told.encode() not in (tmp_path / "log").read_bytes()
    assert value.encode() not in kept and note.encode() not in kept, "in no file and no log in clear"
