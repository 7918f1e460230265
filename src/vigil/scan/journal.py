"""What is done already: results as JSON lines beside the result file, and a journal of the tasks they belong to.

Results are appended and synced, then their task is noted with the length the file has now. After a kill the results are cut
back to the last noted length, and noted tasks are not run again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from vigil.base.errors import InputError, RefusedError
from vigil.scan.model import Done, Result, Task

PARTIAL: Final = ".partial.jsonl"
JOURNAL: Final = ".partial.journal"


class Head(msgspec.Struct, frozen=True):
    """What the scan is of; a resumed one must be of the same."""

    source: str
    column: str
    edition: int
    issued: str


class Note(msgspec.Struct, frozen=True, array_like=True):
    """A task that is done: its number and digest, the length of the results with it, and its tally."""

    number: int
    digest: str
    length: int
    items: int
    listed: int
    unknown: int
    bytes: int


class Journal:
    """The two files of a scan that runs."""

    def __init__(self, out: Path, head: Head, *, fresh: bool) -> None:
        self._results_path = out.with_name(out.name + PARTIAL)
        self._journal_path = out.with_name(out.name + JOURNAL)
        if fresh:
            self.remove()
        self.notes: dict[int, str] = {}
        self.tally = [0, 0, 0, 0]
        length = self._read(head) if self._journal_path.exists() else self._begin(head)
        if length and (not self._results_path.exists() or self._results_path.stat().st_size < length):
            # The kill came when the results had been put in their place and the notes were not yet removed: all is done again.
            self.notes.clear()
            self.tally = [0, 0, 0, 0]
            length = self._begin(head)
        self._results = self._opened(length)
        self._journal = self._journal_path.open("ab")

    def _begin(self, head: Head) -> int:
        try:
            self._journal_path.write_bytes(msgspec.json.encode(head) + b"\n")
        except OSError as error:
            raise InputError("out_unwritable", "The results cannot be written there.", where=str(self._journal_path)) from error
        return 0

    def _read(self, head: Head) -> int:
        """Take up the notes; a line that was cut off is the kill itself."""
        first, *lines = self._journal_path.read_bytes().split(b"\n")
        if not lines:  # killed before the first line was whole
            return self._begin(head)
        try:
            before, notes = msgspec.json.decode(first, type=Head), [msgspec.json.decode(line, type=Note) for line in lines[:-1]]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._in_the_way("scan_notes_damaged", "The notes of an unfinished scan are damaged.") from error
        if before != head:
            raise self._in_the_way("scan_differs", "An unfinished scan of something else lies there.")
        length = 0
        whole = len(first) + 1
        for line, note in zip(lines, notes, strict=False):
            self.notes[note.number] = note.digest
            self.tally = [a + b for a, b in zip(self.tally, (note.items, note.listed, note.unknown, note.bytes), strict=True)]
            length, whole = note.length, whole + len(line) + 1
        os.truncate(self._journal_path, whole)
        return length

    def _in_the_way(self, code: str, what: str) -> RefusedError:
        mend = "Finish it with the same source and edition, or begin anew with --fresh."
        return RefusedError(code, what, where=str(self._journal_path), mend=mend)

    def _opened(self, length: int) -> BinaryIO:
        self._results_path.touch()
        os.truncate(self._results_path, length)
        return self._results_path.open("ab")

    def left(self, tasks: Iterator[Task]) -> Iterator[Task]:
        """The tasks that are not done. Raises RefusedError ``source_changed`` where a done one is another now."""
        for task in tasks:
            before = self.notes.get(task.number)
            if before is not None and before != task.digest:
                raise RefusedError(
                    "source_changed", "The source has changed since the scan began.", mend="Begin anew with --fresh."
                )
            if before is None:
                yield task

    def add(self, done: Done) -> Note:
        """Keep the results of a task for good."""
        self._results.write(b"".join(msgspec.json.encode(result) + b"\n" for result in done.results))
        self._results.flush()
        os.fsync(self._results.fileno())
        note = Note(
            done.number, done.digest, self._results.tell(), len(done.results),
            sum(each.verdict == "listed" for each in done.results), sum(each.verdict == "unknown" for each in done.results),
            sum(max(0, each.bytes) for each in done.results),
        )  # fmt: skip
        self._journal.write(msgspec.json.encode(note) + b"\n")
        self._journal.flush()
        self.notes[note.number] = note.digest
        return note

    def results(self) -> Iterator[Result]:
        """All results that are kept, one at a time."""
        with self._results_path.open("rb") as stream:
            for line in stream:
                yield msgspec.json.decode(line, type=Result)

    @property
    def results_path(self) -> Path:
        """The results as JSON lines."""
        return self._results_path

    def close(self) -> None:
        """Close the files; they stay for a scan that goes on."""
        self._results.close()
        self._journal.close()

    def remove(self) -> None:
        """Remove both files."""
        for path in (self._results_path, self._journal_path):
            path.unlink(missing_ok=True)
