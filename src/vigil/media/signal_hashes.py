"""From a file to the values of its signal types, as matching services of platforms name them (``vigil.match.signal_types``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from vigil.base.errors import InputError, UnavailableError
from vigil.match.signal_types import PHOTO, SignalType
from vigil.media.decoder import Decoder, digests_of
from vigil.media.limits import PICTURE_SECONDS
from vigil.media.model import ImageHashes, Mode, Reason

LOW_QUALITY: Final = "low_quality"
NOT_THE_FILE: Final = frozenset({Reason.BUSY, Reason.TIMED_OUT})


@dataclass(frozen=True, slots=True)
class SignalHashes:
    """``values`` by type; ``left_out`` the reason for each type that has no usable value."""

    values: dict[str, str] = field(repr=False)
    left_out: dict[str, str]


def hash_signals(
    decoder: Decoder, content: str, data: bytes, types: Sequence[SignalType], timeout: float = PICTURE_SECONDS.value
) -> SignalHashes:
    """The values of ``types`` for a file. PDQ goes through RGB, bit by bit as other programs have it.

    Raises InputError ``undecodable_media`` for what is empty or no picture, UnavailableError while all decoders are at work.
    """
    if not data:
        raise _undecodable("empty")
    near = content == PHOTO and any(kind.near for kind in types)
    found = decoder.hash_image(data, mode=Mode.RGB, timeout=timeout) if near else digests_of(data)
    values: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for kind in types:
        if not kind.near:
            values[kind.name] = getattr(found, kind.algorithm.name).hex()
        elif not isinstance(found, ImageHashes):
            raise _reason(getattr(found, "reason", Reason.NOT_AN_IMAGE))
        elif found.low_quality:
            left_out[kind.name] = LOW_QUALITY
        else:
            values[kind.name] = kind.text(found.pdq)
    return SignalHashes(values, left_out)


def _reason(reason: Reason) -> InputError | UnavailableError:
    if reason in NOT_THE_FILE:
        return UnavailableError("busy", "The file could not be looked at in time.", mend="Try again shortly.")
    return _undecodable(reason.value)


def _undecodable(reason: str) -> InputError:
    return InputError("undecodable_media", "The file cannot be decoded.", where=reason, mend="Send a picture or a video.")
