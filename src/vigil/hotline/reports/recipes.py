"""Access recipes: which pages to visit first and with which referrer, so that a disguised page shows itself again."""

from __future__ import annotations

import json
from typing import Final

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.hotline.access.people import Person
from vigil.hotline.reports.fetching import Address, FetchError, fetchable
from vigil.hotline.reports.models import AccessRecipe, Report, Url
from vigil.hotline.reports.notes import read_notes
from vigil.hotline.reports.page import Trail

STEPS: Final = Limit(5, "steps", "a way of more pages is a search, not a recipe")


def make_recipe(person: Person, url: Url, address: Address, via: str, before: tuple[str, ...], referrer: str) -> AccessRecipe:
    """The recipe to reach ``url``; InputError where a step or the referrer is none that can be fetched. Not saved yet."""
    if len(before) > STEPS.value:
        raise InputError("recipe_too_long", f"A recipe has at most {STEPS.value} steps.", where="steps")
    steps, comes_from = [], ""
    for text in before:
        step = _readable(text, "steps").text()
        steps.append({"address": step, "referrer": comes_from})
        comes_from = step
    sent = _readable(referrer, "referrer").text() if referrer else comes_from
    steps.append({"address": address.text(), "referrer": sent})
    return AccessRecipe(url=url, steps=json.dumps(steps), referrer=sent, via=via, created_by=person.label)


def _readable(text: str, where: str) -> Address:
    try:
        return fetchable(text)
    except FetchError as error:
        raise InputError("step_not_fetched", "Only http and https addresses can be steps.", where=where) from error


def claimed_referrer(report: Report) -> str:
    """The referrer that whoever reports said is needed; empty where they said none that can be used."""
    text = report.access_notes.open() if report.access_notes is not None else ""
    referrer = read_notes(text).referrer
    try:
        return fetchable(referrer).text() if referrer else ""
    except FetchError:
        return ""


def trail_of(recipe: AccessRecipe | None) -> Trail:
    """The recipe as a capture follows it."""
    if recipe is None:
        return Trail()
    *before, last = json.loads(recipe.steps.open())
    return Trail(tuple((fetchable(step["address"]), step["referrer"]) for step in before), last["referrer"])
