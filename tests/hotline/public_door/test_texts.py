"""The texts: complete in every language, compiled, in the words we chose, with an honest state of review."""

from __future__ import annotations

import re
import string
import tomllib

import polib
import pytest
from django.conf import settings

from vigil.hotline.doors.public.catalogue import LANGUAGES, LOCALE, Message, messages

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
STATES = {"source", "machine-drafted", "reviewed"}
# Words to avoid, from the terminology table, by language.
AVOID = {
    "en": ["child porn", "child abuse", "kiddie", "paedophile", "pedophile", "victimless", "your content", "minor"],
    "nl": ["kinderporno", "kinderpornografie", "kinderprostitutie"],
    "fr": ["pédopornograph", "pornographie enfantine", "pornographie infantile", "prostitution infantile"],
    "ar": ["إباحية"],
    "de": ["kinderporno", "kinderprostituiert", "kindersextouris", "racheporno"],
    "es": ["pornografía infantil", "porno infantil", "prostitución infantil", "turismo sexual infantil"],
    "pt": ["pornografia infantil", "pornografia de menores", "prostituição infantil"],
    "pl": ["pornografia dziecięca", "dziecięca pornografia", "prostytucja dziecięca"],
}


def catalogue(language: str) -> polib.POFile:
    return polib.pofile(str(LOCALE / language / "LC_MESSAGES" / "django.po"))


def texts(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_every_language_on_offer_has_a_catalogue() -> None:
    assert {code for code, _ in settings.LANGUAGES} == {"en", *LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_there_and_no_other(language: str) -> None:
    present = {Message(entry.msgid, entry.msgid_plural) for entry in catalogue(language)}
    assert present == set(messages())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_complete(language: str) -> None:
    found = re.search(r"nplurals=(\d)", catalogue(language).metadata["Plural-Forms"])
    assert found is not None
    for entry in catalogue(language):
        assert "fuzzy" not in entry.flags
        assert all(text.strip() for text in texts(entry)), entry.msgid
        assert len(texts(entry)) == (int(found[1]) if entry.msgid_plural else 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_and_sentence_ends_agree(language: str) -> None:
    for entry in catalogue(language):
        for text in texts(entry):
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid)), text
            assert (entry.msgid[-1] in ".?!") == (text[-1] in ".?!؟"), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_written_one(language: str) -> None:
    folder = LOCALE / language / "LC_MESSAGES"
    compiled = polib.mofile(str(folder / "django.mo"))
    written = {(entry.msgid, entry.msgid_plural): texts(entry) for entry in catalogue(language)}
    assert {(entry.msgid, entry.msgid_plural): texts(entry) for entry in compiled} == written
    assert compiled.metadata["Plural-Forms"] == catalogue(language).metadata["Plural-Forms"]


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_words_to_avoid_are_avoided(language: str) -> None:
    if language == "en":
        words = " ".join(f"{message.text} {message.plural}" for message in messages())
    else:
        words = " ".join(text for entry in catalogue(language) for text in texts(entry))
    plain = words.lower().translate(str.maketrans(dict.fromkeys(string.punctuation, " ")))
    assert not [word for word in AVOID[language] if re.search(rf"(?<!\w){re.escape(word)}", plain)]


def test_the_state_of_review_is_said_for_every_language() -> None:
    review = tomllib.loads((LOCALE / "review.toml").read_text("utf-8"))
    assert set(review) == {"en", *LANGUAGES}
    for entry in review.values():
        assert entry["state"] in STATES
        assert entry["note"]
        if entry["state"] == "reviewed":
            assert entry["native_reader"] is True
            assert {"reader", "date"} <= set(entry)
        else:
            assert entry["native_reader"] is False
