"""Checks an exported audit log of Vigil without Vigil and without its database.

Usage: python3 standalone.py EXPORT [--key PUBLIC-KEY] [--head NOTE-FILE]…

Needs Python 3.11 and the package `cryptography` (for the signatures of tree heads), nothing of Vigil. It reads the JSON
lines that `vigil hotline audit export` writes and says whether

  1. each event has the hash that its own fields and the hash before it give, without gaps;
  2. each signed tree head of the export, and each head that you kept earlier (--head), is the Merkle root
     (RFC 9162, section 2.1) of exactly the first events of the export, and is signed with the key you name (--key).

Exit status: 0 nothing was altered, 1 something was, 2 the files cannot be read. Without --key signatures are checked
with the key that the export names, and that is said: such a key proves nothing against whoever wrote the export.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = "vigil-audit-export-1"
GENESIS = hashlib.sha256(b"vigil-audit-1 genesis").hexdigest()


def event_hash(event: dict[str, Any]) -> str:
    at = datetime.fromisoformat(event["at"]).astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    fields = ["vigil-audit-1", event["seq"], at, event["actor"], event["roles"], event["code"], event["subject"]]
    fields += [event["purpose"], event["details"], event["prev_hash"]]
    return hashlib.sha256(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


class Tree:
    """Roots of the perfect subtrees, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        made, size = hashlib.sha256(b"\x00" + leaf).digest(), self.size
        while size & 1:
            made, size = hashlib.sha256(b"\x01" + self.roots.pop() + made).digest(), size >> 1
        self.roots.append(made)
        self.size += 1

    def root(self) -> bytes:
        if not self.roots:
            return hashlib.sha256(b"").digest()
        made = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            made = hashlib.sha256(b"\x01" + left + made).digest()
        return made


def signature_holds(note: str, key: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, _, encoded = key.strip().split("+", 2)
    content = base64.b64decode(encoded)
    mark = hashlib.sha256(name.encode() + b"\n" + content).digest()[:4]
    body, _, lines = note.rpartition("\n\n")
    for line in lines.splitlines():
        parts = line.split(" ")
        if len(parts) == 3 and parts[0] == "\N{EM DASH}" and parts[1] == name:
            signed = base64.b64decode(parts[2])
            try:
                Ed25519PublicKey.from_public_bytes(content[1:]).verify(signed[4:], (body + "\n").encode())
            except (InvalidSignature, ValueError):
                continue
            return content[:1] == b"\x01" and signed[:4] == mark
    return False


def head_of(note: str) -> tuple[int, bytes, str]:
    _, size, root, at = note.split("\n", 4)[:4]
    return int(size), base64.b64decode(root), at


def check(lines: Iterable[str], key: str, kept: list[str]) -> tuple[int, int, list[str]]:
    """Events and heads met, and all flaws found, in words. ``kept``: notes of heads from elsewhere."""
    flaws: list[str] = []
    notes = [(note, "", "kept head") for note in kept]
    last, tree = GENESIS, Tree()
    roots, wanted = {0: tree.root()}, {head_of(note)[0] for note in kept}
    rows = [json.loads(line) for line in lines]
    if not rows or not isinstance(rows[0], dict) or rows[0].get("format") != FORMAT:
        raise ValueError("this is no export of an audit log")
    wanted |= {row["head"] for row in rows if "head" in row}
    for row in rows[1:]:
        if "head" in row:
            notes.append((row["note"], row["key"], "head"))
            continue
        if row["seq"] != tree.size + 1:
            flaws.append(f"event {row['seq']}: event {tree.size + 1} is missing")
        if row["prev_hash"] != last:
            flaws.append(f"event {row['seq']}: does not follow from the one before")
        if row["hash"] != event_hash(row):
            flaws.append(f"event {row['seq']}: is not what was recorded")
        last = row["hash"]
        tree.append(bytes.fromhex(last))
        if tree.size in wanted:
            roots[tree.size] = tree.root()
    for note, own, what in notes:
        size, root, at = head_of(note)
        if not (key or own):
            flaws.append(f"{what} of {size} events ({at}): name the key it was signed with (--key)")
        elif not signature_holds(note, key or own):
            flaws.append(f"{what} of {size} events ({at}): is not signed with the key")
        if roots.get(size) != root:
            flaws.append(f"{what} of {size} events ({at}): is not the root of the first {size} events of this log")
    return tree.size, len(notes), flaws


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an exported audit log of Vigil.")
    parser.add_argument("export")
    parser.add_argument("--key", default="")
    parser.add_argument("--head", action="append", default=[])
    asked = parser.parse_args()
    try:
        kept = [Path(name).read_text("utf-8") for name in asked.head]
        with Path(asked.export).open(encoding="utf-8") as stream:
            events, heads, flaws = check(stream, asked.key, kept)
    except (OSError, ValueError, KeyError, IndexError) as error:
        print(f"The files cannot be read: {type(error).__name__}")
        return 2
    for flaw in flaws[:50]:
        print(flaw)
    if not asked.key and heads:
        print("No --key was given: signatures were checked with the keys that the export itself names.")
    print(f"{events} events, {heads} heads, {'ALTERED' if flaws else 'nothing altered'}")
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main())
