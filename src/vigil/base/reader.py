"""A cursor over hostile bytes: it cannot leave its frame, and it complains about leftovers."""

from __future__ import annotations

from vigil.base.errors import InputError


class BoundedReader:
    """Reads forward through ``data``; every read names what it wants, so that errors can say what was missing."""

    __slots__ = ("_data", "_end", "_position", "_what")

    def __init__(self, data: bytes | memoryview, what: str) -> None:
        self._data = memoryview(data)
        self._position = 0
        self._end = len(self._data)
        self._what = what

    @property
    def position(self) -> int:
        return self._position

    @property
    def remaining(self) -> int:
        return self._end - self._position

    def take(self, count: int, field: str) -> bytes:
        """The next ``count`` bytes."""
        if count < 0 or count > self.remaining:
            raise InputError("truncated", f"{self._what} ends inside {field}.", where=f"byte {self._position}")
        start = self._position
        self._position += count
        return bytes(self._data[start : self._position])

    def take_until(self, mark: bytes, limit: int, field: str) -> bytes:
        """The bytes up to ``mark`` (which is consumed), at most ``limit`` of them."""
        window = bytes(self._data[self._position : min(self._end, self._position + limit + len(mark))])
        found = window.find(mark)
        if found < 0:
            code = "truncated" if self.remaining <= limit else "too_long"
            raise InputError(code, f"{self._what} has no end of {field}.", where=f"byte {self._position}")
        self._position += found + len(mark)
        return window[:found]

    def unsigned(self, size: int, field: str) -> int:
        """A little-endian unsigned integer of ``size`` bytes."""
        return int.from_bytes(self.take(size, field), "little")

    def finish(self) -> None:
        """Nothing may be left over."""
        if self.remaining:
            raise InputError("leftover", f"{self._what} has {self.remaining} bytes too many.", where=f"byte {self._position}")
