"""Typed face of the compiled matching kernel (native/binding/)."""

ABI: int
