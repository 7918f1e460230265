"""``vigil index``: build, search and verify an index of hashes.

A source is a file, or a folder of files, with one hash a line: 64 hexadecimal digits (PDQ) or, with
``--algorithm``, digits of another kind; after a blank, a comma or a tab may follow the number of the
entry (after a tab only, where values have no fixed length). Without one,
the number is the number of the line. Empty lines and lines that start with # are passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from vigil.base.errors import InputError, VigilError
from vigil.match.hashing import Algorithm, Kind, algorithm_named
from vigil.match.index import DigestTable, HammingIndex

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Build, search and verify an index of hashes.")

LARGEST_ID: Final = 2**64 - 1
NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
HASH_END: Final = re.compile(r"[ \t,]+")
OPAQUE_END: Final = re.compile(r"\t")  # such values may hold blanks and commas
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines.")]
AlgorithmName = Annotated[str, typer.Option("--algorithm", help="Kind of hash: pdq, vpdq, md5, sha1, sha256 …")]


@app.command()
def build(
    source: Annotated[Path, typer.Argument(help="File or folder with one hash a line.")],
    out: Annotated[Path, typer.Option("--out", help="Index file to write; replaced in one step.")],
    algorithm: AlgorithmName = "pdq",
    as_json: AsJson = False,
) -> None:
    """Build an index, and check that every stored hash is found in it. Malformed lines are counted and named."""
    kind = algorithm_named(algorithm)
    with _progress(as_json) as bar:
        rows, ids, refused = _read(source, kind, bar)
        if not rows:
            raise InputError("index_empty", "The source holds no usable hash.", where=source.name)
        size = _write(kind, _matrix(rows, kind), np.array(ids, np.uint64), out, bar)
    report: dict[str, Any] = {"built": out.name, "algorithm": kind.name, "rows": len(rows), "bytes": size,
                              "refused": refused}  # fmt: skip
    _print_built(report, as_json)
    if refused:
        raise typer.Exit(1)


def _print_built(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report))
        return
    typer.echo(f"{report['built']}: {report['rows']} {report['algorithm']} hashes, {report['bytes']} bytes")
    for line in report["refused"]:
        typer.echo(f"left out {line['file']}, line {line['line']}: {line['code']}", err=True)


def _write(kind: Algorithm, rows: NDArray[np.uint8], ids: NDArray[np.uint64], out: Path, bar: Progress) -> int:
    if kind.kind is Kind.EXACT:
        DigestTable.build(rows, ids, out)
        return out.stat().st_size
    task = bar.add_task("building", total=None)
    index = HammingIndex.build(
        rows, ids, out, progress=lambda done, total: bar.update(task, completed=done, total=total)
    )
    return index.file_bytes


@app.command()
def search(
    file: Annotated[Path, typer.Argument(help="Index file.")],
    queries: Annotated[Path, typer.Option("--queries", help="File with one hash a line; - for standard input.")],
    max_distance: Annotated[int, typer.Option("--max-distance", help="Largest distance in bits, 0 to 31.")] = 31,
    algorithm: AlgorithmName = "pdq",
    as_json: AsJson = False,
) -> None:
    """Look up each query; exit status 1 if none of them was found."""
    kind = algorithm_named(algorithm)
    found = 0
    for batch in _batches(queries, kind):
        found += _search_batch(file, kind, batch, max_distance, as_json)
    if not found:
        raise typer.Exit(1)


Query = tuple[int, bytes | None, str | None]  # line, value, code of the error
BATCH = 4096


def _search_batch(file: Path, kind: Algorithm, batch: list[Query], max_distance: int, as_json: bool) -> int:
    usable = [value for _, value, _ in batch if value is not None]
    answers = iter(_answers(file, kind, usable, max_distance))
    found = 0
    for line, value, code in batch:
        hits = [] if value is None else next(answers)
        found += len(hits)
        _print_answer(line, code, hits, as_json)
    return found


def _print_answer(line: int, code: str | None, hits: list[tuple[int, int]], as_json: bool) -> None:
    verdict = "unknown" if code else "found" if hits else "not_found"
    if as_json:
        answer: dict[str, Any] = {"query": line, "answer": verdict,
                                  "hits": [{"id": number, "distance": apart} for number, apart in hits]}  # fmt: skip
        typer.echo(json.dumps(answer | ({"reason": code} if code else {})))
        return
    shown = " ".join(f"{number}:{apart}" for number, apart in hits)
    typer.echo(f"{line} {verdict} {code or shown}".rstrip())


def _answers(file: Path, kind: Algorithm, values: list[bytes], max_distance: int) -> list[list[tuple[int, int]]]:
    """For each value its hits as (id, distance)."""
    if kind.kind is Kind.EXACT:
        offsets, ids = DigestTable.open(file).search(_matrix(values, kind))
        apart = np.zeros(len(ids), np.uint8)
    else:
        offsets, ids, apart = HammingIndex.open(file).search(_matrix(values, kind), max_distance)
    pairs = list(zip(ids.tolist(), apart.tolist(), strict=True))
    return [pairs[start:end] for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Index file.")],
    as_json: AsJson = False,
) -> None:
    """Read the whole file: checksums, and that every stored hash is found. Exit status 1 if anything is wrong."""
    try:
        rows = _verified_rows(file)
    except VigilError as error:
        if error.code == "index_unreadable":
            raise
        if as_json:
            typer.echo(json.dumps({"file": file.name, "ok": False, "code": error.code, "what": error.what}))
        else:
            typer.echo(f"{file.name}: {error.what} [{error.code}]")
        raise typer.Exit(1) from error
    typer.echo(json.dumps({"file": file.name, "ok": True, "rows": rows}) if as_json else f"{file.name}: good, {rows} rows")


def _verified_rows(file: Path) -> int:
    """Rows of a file of either kind, after the whole of it was checked."""
    try:
        index = HammingIndex.open(file)
    except InputError as error:
        if error.code != "index_not_an_index":
            raise
        table = DigestTable.open(file)
        table.verify()
        return len(table)
    index.verify()
    return len(index)


# ---- reading lines ----


def _progress(quiet: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(console=console, disable=quiet or not console.is_terminal, transient=True)


def _sources(source: Path) -> list[Path]:
    try:
        if source.is_dir():
            return sorted(path for path in source.rglob("*") if path.is_file())
        source.open("rb").close()
    except OSError as error:
        raise InputError("source_unreadable", "The source cannot be read.", where=source.name) from error
    return [source]


def _read(source: Path, kind: Algorithm, bar: Progress) -> tuple[list[bytes], list[int], list[dict[str, Any]]]:
    rows: list[bytes] = []
    ids: list[int] = []
    refused: list[dict[str, Any]] = []
    for path in bar.track(_sources(source), description="reading"):
        for line, text in _lines(path):
            try:
                value, number = _row(text, kind, line)
            except InputError as error:
                refused.append({"file": path.name, "line": line, "code": error.code})
                continue
            rows.append(value)
            ids.append(number)
    return rows, ids, refused


def _row(text: str, kind: Algorithm, line: int) -> tuple[bytes, int]:
    parts = (OPAQUE_END if kind.bits is None else HASH_END).split(text.strip(), 1)
    number = parts[1].strip() if len(parts) > 1 else ""
    if number and (NUMBER.fullmatch(number) is None or int(number) > LARGEST_ID):
        raise InputError("entry_malformed", "The number of the entry is not a whole number below 2^64.")
    return kind.key(kind.parse(parts[0])), int(number) if number else line


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that say something; undecodable bytes become marks that no hash holds."""
    try:
        named = Path("/dev/stdin") if str(path) == "-" else path
        stream = named.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError("source_unreadable", "The file cannot be read.", where=path.name) from error
    with stream:
        for number, line in enumerate(stream, 1):
            if line.strip() and not line.startswith("#"):
                yield number, line.rstrip("\n")


def _batches(path: Path, kind: Algorithm) -> Iterator[list[Query]]:
    batch: list[Query] = []
    for line, text in _lines(path):
        try:
            batch.append((line, _row(text, kind, line)[0], None))
        except InputError as error:
            batch.append((line, None, error.code))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _matrix(rows: list[bytes], kind: Algorithm) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), kind.key_bytes)
