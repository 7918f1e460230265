"""Confidential values that cannot slip into a log, a traceback or an f-string by accident."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

MARK = "<sealed>"


class Sealed(Generic[T]):
    """Holds a confidential value. Only :meth:`open` gives it; printing, formatting and logging show a mark."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def open(self) -> T:
        """The value itself: call this only where it is needed, never to log."""
        return self._value

    def __repr__(self) -> str:
        return MARK

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return MARK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Sealed, self._value))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a sealed value is not written anywhere")
