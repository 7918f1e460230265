"""The confined child: ``python -I -m vigil.media.child PARENT CHANNEL``, started by ``worker`` and by nobody else.

Loads every decoder, locks itself in, says what confines it, and then answers one request after the other
over one socket until its parent hangs up. It keeps nothing between files.
"""

from __future__ import annotations

import gc
import mmap
import os
import socket
import sys
from typing import Final

from vigil.media.confinement import allow_cpu, confine, die_with_parent
from vigil.media.model import Decoded, Reason, Tile, UndecodableError
from vigil.media.protocol import (
    LENGTH,
    REQUEST,
    Kind,
    Request,
    decode_request,
    encode_decoded,
    encode_failed,
    encode_ready,
    encode_tile,
    encode_unhashable,
)

CHANNEL: Final = 3


def main() -> None:
    """Serve until the parent hangs up."""
    os.dup2(int(sys.argv[2]), CHANNEL)
    channel = socket.socket(fileno=CHANNEL)
    try:
        die_with_parent(int(sys.argv[1]))
        _load()
    except Exception as error:
        _send(channel, encode_failed(f"{type(error).__name__}: {error}"))
        raise
    _send(channel, encode_ready(confine()))
    while serve(channel):
        pass


def _load() -> None:
    """Imports come late: a missing decoder is to be reported, not to be a traceback that nobody sees."""
    from vigil.media import warm_up

    warm_up.load_decoders()
    os.closerange(CHANNEL + 1, 256)
    gc.freeze()


def serve(channel: socket.socket) -> bool:
    """Answer one request; False when there are no more."""
    head, descriptors, _, _ = socket.recv_fds(channel, REQUEST.size, 1, socket.MSG_WAITALL)
    if not head:
        return False
    request = decode_request(head)
    allow_cpu(request.seconds)
    body = answer(request, descriptors[0])
    os.close(descriptors[0])
    _send(channel, body)
    return True


def answer(request: Request, descriptor: int) -> bytes:
    """The encoded answer to one request on the file behind ``descriptor``."""
    try:
        if request.kind in (Kind.PICTURE_TILE, Kind.VIDEO_TILE):
            return encode_tile(_tile(request, descriptor))
        return encode_decoded(_hash(request, descriptor))
    except UndecodableError as error:
        return encode_unhashable(error.reason)
    except MemoryError:
        return encode_unhashable(Reason.OUT_OF_MEMORY)


def _hash(request: Request, descriptor: int) -> Decoded:
    if request.kind is Kind.VIDEO:
        from vigil.media.videos import hash_video

        return hash_video(descriptor, request)
    from vigil.media.pictures import hash_picture

    if not request.size:
        raise UndecodableError(Reason.EMPTY)
    with mmap.mmap(descriptor, request.size, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
        return hash_picture(data, request.mode, request.wishes, request.pixels)


def _tile(request: Request, descriptor: int) -> Tile:
    from vigil.media.tiles import picture_tile, video_tile  # loaded by warm_up: a confined child opens no file

    if not request.size:
        raise UndecodableError(Reason.EMPTY)
    if request.kind is Kind.VIDEO_TILE:
        return video_tile(descriptor, request)
    with mmap.mmap(descriptor, request.size, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
        return picture_tile(data, request.pixels, request.frames)


def _send(channel: socket.socket, body: bytes) -> None:
    channel.sendall(LENGTH.pack(len(body)) + body)


if __name__ == "__main__":
    main()
