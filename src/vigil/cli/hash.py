"""``vigil hash``: md5 sha1 sha256 pdq pdq_quality width height, a line a file."""

from __future__ import annotations

import json
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from vigil.media import Decoder, Flag, ImageHashes, Mode, PdqHash, Unhashable, VideoHashes

app = typer.Typer(add_completion=False)

ABSENT: Final = "-"
Hashed = ImageHashes | VideoHashes | Unhashable | OSError


@app.command(name="hash")
def hash_files(
    files: Annotated[list[Path], typer.Argument(help="Pictures, videos, or folders of them.", metavar="FILE…")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines: one object a file, with all hashes.")] = False,
    mode: Annotated[Mode, typer.Option(help="exact; rgb for bit-equality with others; fast for screening.")] = Mode.EXACT,
    variants: Annotated[bool, typer.Option("--variants", help="Also the seven turned and mirrored forms.")] = False,
    trim: Annotated[bool, typer.Option("--trim", help="Also without borders or the frame of a screenshot.")] = False,
    workers: Annotated[int, typer.Option(help="Confined decoders at once; 0: one for each processor.", min=0, max=256)] = 0,
) -> None:
    """Hash pictures and videos in confined processes; folders are walked.

    A line a file: md5 sha1 sha256 pdq pdq_quality width height name, with - where there is nothing; why stands on
    standard error. A video has its frames in --json only. Exit status 0: all hashed; 1: a file has no perceptual
    hash; 2: a file cannot be read.
    """
    count = workers or os.cpu_count() or 1
    worst = 0
    with Decoder(count) as decoder, _progress() as progress:
        job = progress.add_task("hashing", total=None)
        for path, found in _hashed(decoder, _walked(files), count, mode=mode, variants=variants, trim=trim):
            worst = max(worst, _status(found))
            _print(path, found, as_json=as_json)
            progress.advance(job)
    raise typer.Exit(worst)


def _progress() -> Progress:
    """On standard error, and only where somebody watches."""
    console = Console(stderr=True)
    return Progress(*Progress.get_default_columns(), console=console, transient=True, disable=not console.is_terminal)


def _walked(files: Iterable[Path]) -> Iterator[Path]:
    """Each file as named; each folder's regular files in order of name, symbolic links not followed."""
    for path in files:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (entry for name in sorted(names) if _regular(entry := Path(folder, name)))


def _regular(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _hashed(decoder: Decoder, paths: Iterator[Path], count: int, **options: Any) -> Iterator[tuple[Path, Hashed]]:
    """Results in the order of the paths, a few files ahead of the one that is printed."""
    waiting: deque[tuple[Path, Future[Hashed]]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for path in paths:
            waiting.append((path, pool.submit(_one, decoder, path, options)))
            if len(waiting) > 2 * count:
                first, future = waiting.popleft()
                yield first, future.result()
        for path, future in waiting:
            yield path, future.result()


def _one(decoder: Decoder, path: Path, options: dict[str, Any]) -> Hashed:
    try:
        return decoder.hash_file(path, **options)
    except OSError as error:
        return error


def _status(found: Hashed) -> int:
    if isinstance(found, OSError):
        return 2
    return 1 if isinstance(found, Unhashable) else 0


def _print(path: Path, found: Hashed, *, as_json: bool) -> None:
    name = _printable(path)
    if isinstance(found, OSError):
        typer.echo(f"vigil: {name}: {os.strerror(found.errno or 0)} [unreadable]", err=True)
        return
    if isinstance(found, Unhashable):
        typer.echo(f"vigil: {name}: no perceptual hash [{found.reason}]", err=True)
    typer.echo(json.dumps({"file": name, **_object(found)}) if as_json else _line(name, found))


def _line(name: str, found: ImageHashes | VideoHashes | Unhashable) -> str:
    digests = [found.md5.hex(), found.sha1.hex(), found.sha256.hex()]
    pdq = [found.pdq.hex(), str(found.pdq_quality)] if isinstance(found, ImageHashes) else [ABSENT, ABSENT]
    size = [ABSENT, ABSENT] if isinstance(found, Unhashable) else [str(found.width), str(found.height)]
    return " ".join([*digests, *pdq, *size, name])


def _object(found: ImageHashes | VideoHashes | Unhashable) -> dict[str, Any]:
    """The JSON object of one file; members that do not apply are absent."""
    shown: dict[str, Any] = {"md5": found.md5.hex(), "sha1": found.sha1.hex(), "sha256": found.sha256.hex()}
    if isinstance(found, Unhashable):
        return shown | {"reason": found.reason.value}
    if isinstance(found, ImageHashes):
        shown |= {"pdq": found.pdq.hex(), "pdq_quality": found.pdq_quality}
    shown |= {"width": found.width, "height": found.height, "format": found.format, "mode": found.mode.value}
    shown["flags"] = [flag.name.lower() for flag in Flag if flag in found.flags and flag.name]
    if isinstance(found, VideoHashes):
        return shown | {"milliseconds": found.milliseconds, "frames": [_pdq(one) for one in found.frames]}
    return shown | {"extras": [_pdq(one) for one in found.extras]}


def _pdq(one: PdqHash) -> dict[str, Any]:
    moment = {"frame": one.frame, "milliseconds": one.milliseconds} if one.frame or one.milliseconds else {}
    return {"view": one.view.value, "pdq": one.pdq.hex(), "quality": one.quality, **moment}


def _printable(path: Path) -> str:
    """The name with control characters and undecodable bytes escaped: a file's name must not steer a terminal."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
