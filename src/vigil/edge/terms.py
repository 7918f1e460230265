"""Words of keyword lists between the keeper, which gets them with an edition, and the workers: one encrypted file beside the
indexes. Its key is made for it, lives in memory, and travels over the control socket only; a word there is small, lists are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from vigil.base.errors import InputError
from vigil.base.files import write_atomically
from vigil.edge.screen import Screen, screens_of
from vigil.editions.model import Secret

FILE: Final = "terms.age"


def write_terms(folder: Path, documents: Sequence[bytes]) -> Secret:
    """Write ``documents`` (files of words) into ``folder``; the key that opens them."""
    from vigil.editions import cipher  # not at the top: a worker without words is spared what decrypts

    identity = cipher.new_identity()
    text = msgspec.json.encode([document.decode() for document in documents])
    write_atomically(folder / FILE, cipher.encrypt(text, [cipher.Identity(identity).recipient]), mode=0o600)
    return Secret(identity.encode())


def open_terms(folder: Path, key: Secret, lists: Sequence[str]) -> tuple[Screen, ...]:
    """What :func:`write_terms` wrote, compiled, for ``lists`` in their order. Raises VigilError where it cannot be used."""
    from vigil.editions import cipher  # as above

    try:
        data = (folder / FILE).read_bytes()
    except OSError as error:
        raise InputError("terms_unreadable", "The words of an edition cannot be read.", where=FILE) from error
    documents = msgspec.json.decode(cipher.Identity(key.open().decode()).decrypt(data, FILE), type=list[str])
    return screens_of([document.encode() for document in documents], lists)
