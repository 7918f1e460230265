"""What leaves with an edition: each partner's copy, and, where the release key is with its person, that person's signature."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import Root

from vigil.base.errors import InputError, VigilError
from vigil.editions import selftest
from vigil.editions.build import BuiltEdition
from vigil.editions.draft import is_signed, publish_draft, write_draft
from vigil.editions.keys import KeyRing
from vigil.editions.model import EditionContents
from vigil.editions.roles import TARGETS, read_metadata
from vigil.editions.shares import Share
from vigil.hotline.access.people import OFFICE
from vigil.hotline.lists.sharing import PartnerCopy, copies_now


def shares_of(contents: EditionContents, moment: datetime) -> tuple[Share, ...]:
    """The copy of every partner with an agreement in force and a public key; without a key there is no copy."""
    copies = copies_now(OFFICE, contents, moment)
    return tuple(
        Share(each.partner, selftest.added_to(each.contents), each.recipient, _words(each), each.ended) for each in copies
    )


def _words(copy: PartnerCopy) -> dict[str, bytes]:
    """The words of a copy; where there are any, those of the test list too, so that a node can prove that it screens."""
    return {**copy.words, f"keywords-{selftest.LIST}.json": selftest.words()} if copy.words else copy.words


def needs_person(keys: KeyRing) -> bool:
    """Whether fewer keys are here than an edition needs: the release key lies with its person."""
    return len(keys.signers[TARGETS]) < read_metadata(keys.root, Root).signed.roles[TARGETS].threshold


class Drafts:
    """Drafts that wait for the release person, one a folder, below ``folder``."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self._folder = folder
        self._repository = repository

    def path(self, number: int) -> Path:
        """Where the draft of an edition lies: what the person is handed."""
        return self._folder / str(number)

    def write(self, built: BuiltEdition, keys: KeyRing, moment: datetime, *, partners: bool) -> None:
        """Write the draft of an edition; what is left of an attempt that was interrupted goes."""
        self.remove(built.number)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_draft(self.path(built.number), built, keys, moment, self._repository, partners=partners)

    def is_signed(self, number: int, keys: KeyRing) -> bool:
        """Whether the person has signed; False too for a draft that is not whole yet."""
        try:
            return is_signed(self.path(number), read_metadata(keys.root, Root).signed)
        except (InputError, VigilError):
            return False

    def publish(self, number: int, keys: KeyRing, moment: datetime, shares: tuple[Share, ...], workshop: Path) -> None:
        """Put a signed draft into force. Raises as :func:`vigil.editions.publish.publish`."""
        publish_draft(self._repository, self.path(number), keys, moment, shares=shares, workshop=workshop)

    def remove(self, number: int) -> None:
        shutil.rmtree(self.path(number), ignore_errors=True)

