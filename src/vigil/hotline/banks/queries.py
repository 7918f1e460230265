"""Questions about banks."""

from __future__ import annotations

from django.db.models import QuerySet

from vigil.base.errors import VigilError
from vigil.hotline.banks.models import Bank, BankContent, TypeRatio


class NoSuchBank(VigilError):  # noqa: N818  named as the other refusals are
    """Nothing of that name or number. HTTP 404; a caller may take it as truly gone."""

    http_status = 404


def banks() -> QuerySet[Bank]:
    """All banks that are not deleted."""
    return Bank.objects.filter(deleted_at=None)


def bank_named(name: str) -> Bank:
    """The bank of that name. Raises NoSuchBank."""
    found = banks().select_related("list", "policy").filter(name=name).first()
    if found is None:
        raise NoSuchBank("no_such_bank", "There is no bank of that name.")
    return found


def content_in(bank: Bank, number: int) -> BankContent:
    """Something in this bank, and in no other. Raises NoSuchBank."""
    found = BankContent.objects.filter(pk=number, bank=bank, gone=False).first() if 0 < number < 2**63 else None
    if found is None:
        raise NoSuchBank("no_such_content", "There is no such content in this bank.")
    return found


def ratio_of_type(name: str) -> float:
    """How much of all queries a signal type takes part in."""
    found = TypeRatio.objects.filter(pk=name).first()
    return found.ratio if found is not None else 1.0
