"""Readers written from the formats' documents, sharing nothing with the writers; real programs where there are some."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path


def lines_of(data: bytes, comment: str = "#") -> list[str]:
    return [line for line in data.decode("latin-1").split("\n") if line and not line.startswith(comment)]


def zone_names(data: bytes, folder: Path, zone: str = "v") -> tuple[int, set[str]]:
    """Serial and owners, relative to the zone, as BIND's own checker prints them after loading the zone."""
    path = folder / "rpz.zone"
    path.write_bytes(data)
    command = ["named-checkzone", "-q", "-D", "-F", "text", "-s", "full", "-o", "-", "-k", "fail", zone, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line and not line.startswith(";")]
    serial = next(int(row[6]) for row in rows if row[3] == "SOA")
    owners = {row[0].removesuffix(f".{zone}.") for row in rows if row[3] == "CNAME"}
    assert all(row[4] == "." for row in rows if row[3] == "CNAME")
    assert len(rows) == len(owners) + 2
    return serial, owners


def zone_has(owners: set[str], name: str) -> bool:
    """Does a query for the name meet a record? RFC 1034 and 4592: a wildcard answers below the closest encloser only."""
    exists = {tail for owner in owners for tail in tails(owner)}
    if name in exists:
        return name in owners
    encloser = next((tail for tail in tails(name) if tail in exists), "")
    return f"*.{encloser}" in owners if encloser else False


def tails(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


def is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def adblock_has(data: bytes, name: str) -> bool:
    """AdGuard Home and Pi-hole: ``||d^``, hosts lines, plain names; nothing else is understood."""
    for line in lines_of(data, "!") if data.startswith(b"!") else lines_of(data):
        if found := re.fullmatch(r"\|\|([a-z0-9.-]+)\^", line):
            if is_below(name, found[1]):
                return True
        else:
            plain = re.fullmatch(r"(?:0\.0\.0\.0 )?([a-z0-9-]+(?:\.[a-z0-9-]+)+)", line)
            assert plain, "a line of another kind"
            if plain[1] == name:
                return True
    return False


def blocky_has(data: bytes, name: str) -> bool:
    for line in lines_of(data):
        assert re.fullmatch(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+", line)
        if is_below(name, line[2:]) if line.startswith("*.") else line == name:
            return True
    return False


def dstdomain_has(data: bytes, name: str) -> bool:
    """Squid: a leading dot covers the name and all below; the lists that Squid warns about are refused here too."""
    lines = lines_of(data)
    dotted = [line[1:] for line in lines if line.startswith(".")]
    assert not [x for x in lines for y in dotted if x.lstrip(".") != y and is_below(x.lstrip("."), y)]
    return any(is_below(name, line[1:]) if line.startswith(".") else line == name for line in lines)


def posix_matches(patterns: list[str], texts: list[str], folder: Path) -> set[str]:
    """The texts that one of the expressions matches, by the C library's own engine, as Squid uses it."""
    if not patterns:
        return set()
    path = folder / "patterns"
    path.write_text("".join(f"{each}\n" for each in patterns), encoding="latin-1")
    command = ["grep", "-a", "-n", "-E", "-f", str(path)]
    lines = b"".join(squid_unescaped(text) + b"\n" for text in texts)
    done = subprocess.run(command, input=lines, capture_output=True, check=False, env={"LC_ALL": "C"})
    assert done.returncode < 2, done.stderr
    return {texts[int(line.partition(b":")[0]) - 1] for line in done.stdout.splitlines()}


def squid_unescaped(text: str) -> bytes:
    """One pass from left to right; ``%00`` stays."""
    data, out, at = text.encode("ascii"), bytearray(), 0
    while at < len(data):
        try:
            value = int(data[at + 1 : at + 3], 16) if data[at : at + 1] == b"%" and len(data) >= at + 3 else 0
        except ValueError:
            value = 0
        out.append(value or data[at])
        at += 3 if value else 1
    return bytes(out)


def wire_fields(data: bytes) -> dict[int, list[int | bytes]]:
    """Protocol buffers, the wire form: number of the field to its values."""
    found: dict[int, list[int | bytes]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            found.setdefault(tag >> 3, []).append(varint())
            continue
        size = {1: 8, 2: 0}[tag & 7] or varint()
        found.setdefault(tag >> 3, []).append(data[at : at + size])
        at += size
    assert at == len(data)
    return found


def rice_numbers(first: int, parameter: int, count: int, data: bytes) -> list[int]:
    """Rice-Golomb decoding over a text of bits, as slow and plain as can be."""
    bits = "".join(format(byte, "08b")[::-1] for byte in data)
    numbers, at = [first], 0
    for _ in range(count):
        quotient = bits.index("0", at) - at
        at += quotient + 1
        remainder = int(bits[at : at + parameter][::-1], 2)
        at += parameter
        numbers.append(numbers[-1] + (quotient << parameter) + remainder)
    assert len(bits) - at < 8
    assert "1" not in bits[at:]
    return numbers


def safe_browsing_hashes(data: bytes) -> tuple[int, set[bytes]]:
    """Version and hashes of a v5 hash list of full hashes; the checksum must fit."""
    message = wire_fields(data)
    assert message[1] == [b"vigil-32b"]
    assert 3 not in message
    assert 5 not in message
    hashes: list[bytes] = []
    for additions in message.get(11, []):
        assert isinstance(additions, bytes)
        fields = wire_fields(additions)
        parts = [fields.get(1, [0])[0], *(int.from_bytes(fields[n][0], "little") for n in (2, 3, 4))]  # type: ignore[arg-type]
        first = sum(part << (64 * (3 - place)) for place, part in enumerate(parts))  # type: ignore[operator, misc]
        parameter, count, coded = fields.get(5, [0])[0], fields.get(6, [0])[0], fields.get(7, [b""])[0]
        assert count == 0 or 227 <= parameter <= 254  # type: ignore[operator]
        hashes = [n.to_bytes(32, "big") for n in rice_numbers(first, parameter, count, coded)]  # type: ignore[arg-type]
    assert message[7] == [hashlib.sha256(b"".join(sorted(hashes))).digest()]
    assert isinstance(message[2][0], bytes)
    return int.from_bytes(message[2][0], "big"), set(hashes)


def safe_browsing_expressions(host: str, path: str, query: str | None, is_address: bool) -> set[str]:
    """What a client asks for: the host and up to four parents, with the path, its folders and the root."""
    labels = host.split(".")
    parents = [] if is_address else [".".join(labels[-count:]) for count in range(2, min(len(labels), 6))]
    names = path.split("/")[1:-1]
    folders = ["/" + "".join(f"{name}/" for name in names[:count]) for count in range(min(len(names), 3) + 1)]
    paths = [path, *folders, *([f"{path}?{query}"] if query else [])]
    return {name + place for name in (host, *parents) for place in paths}


STIX_TEST = re.compile(r"([a-z-]+:[a-z]+(?:\.'(?:[^'\\]|\\.)*')?) (=|MATCHES) '((?:[^'\\]|\\.)*)'")


def stix_tests(pattern: str) -> list[tuple[str, str, str]]:
    """Path, operator and value of each comparison of a pattern of the form ``[a OR b …]``."""
    body = pattern[1:-1]
    found, at = [], 0
    while True:
        match = STIX_TEST.match(body, at)
        assert match, "a pattern of another form"
        value = re.sub(r"\\(.)", r"\1", match[3])
        found.append((match[1], match[2], value))
        at = match.end()
        if at == len(body):
            return found
        assert body[at : at + 4] == " OR "
        at += 4


def stix_matches(pattern: str, path: str, value: str) -> bool:
    """Is there a comparison that an observed value meets? MATCHES searches, as PCRE does."""
    tests = [(operator, wanted) for where, operator, wanted in stix_tests(pattern) if where == path]
    return any(value == wanted if operator == "=" else re.search(wanted, value) is not None for operator, wanted in tests)
