"""What each character counts as: its folded spelling and its class. Context-free, so that offsets can be traced back.

Folding, in this order, for each code point by itself: full case folding, compatibility decomposition (NFKD), marks of
Latin, Greek, Cyrillic, Hebrew and Arabic and all invisible characters dropped, look-alike letters mapped to one.
Because marks are dropped, composed and decomposed spellings agree without normalising the text as a whole. Vowel
signs of Indic scripts, Thai and the like are letters there and stay. Hangul syllables stay as they are.

Sources: Unicode character database of the running Python; look-alikes and letter-for-digit habits chosen by hand.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SEPARATOR: Final = 0
LETTER: Final = 1
DIGIT: Final = 2
SYMBOL: Final = 4
JOINER: Final = 8
SPACE: Final = 16
WORD: Final = LETTER | DIGIT

CODE_POINTS: Final = 0x110000
_TABULATED: Final = 0x20000
# Two Arabic ligatures stand for whole sentences; what is cut here is cut in the terms as well.
_LONGEST: Final = 6

_LOOK_ALIKES: Final = {
    # Cyrillic, after case folding
    "а": "a", "в": "b", "е": "e", "ѕ": "s", "і": "i", "ј": "j", "к": "k", "м": "m", "н": "h", "о": "o", "р": "p", "с": "c",
    "т": "t", "у": "y", "х": "x", "ѵ": "v", "ԁ": "d", "ԛ": "q", "ԝ": "w", "һ": "h", "ӏ": "l", "ь": "b", "г": "r", "п": "n",
    "ё": "e", "з": "z", "ї": "i", "ғ": "f", "ѡ": "w", "ҽ": "e", "ո": "n",
    # Greek
    "α": "a", "β": "b", "ε": "e", "ζ": "z", "η": "n", "ι": "i", "κ": "k", "μ": "u", "ν": "v", "ο": "o", "ρ": "p", "τ": "t",
    "υ": "u", "χ": "x", "ω": "w", "σ": "o", "γ": "y", "ϲ": "c", "ϳ": "j",
    # Armenian, Cherokee and others
    "օ": "o", "ս": "u", "հ": "h", "ք": "p", "ց": "g", "ա": "w", "զ": "q", "յ": "j", "ꮯ": "c", "ꭰ": "d", "ꭼ": "e", "ꮋ": "h",
    "ꭺ": "a", "ꭻ": "j", "ꮶ": "k", "ꮮ": "l", "ꮇ": "m", "ꮲ": "p", "ꮪ": "s", "ꭲ": "t", "ꮩ": "v", "ꮃ": "w", "ꮓ": "z", "ꮐ": "g",
    # Latin letters that do not decompose
    "ı": "i", "ȷ": "j", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ŋ": "n", "æ": "ae", "œ": "oe", "þ": "th",
    "ɑ": "a", "ɐ": "a", "ɓ": "b", "ƈ": "c", "ɕ": "c", "ɖ": "d", "ɗ": "d", "ə": "e", "ɛ": "e", "ǝ": "e", "ɘ": "e", "ƒ": "f",
    "ɡ": "g", "ɠ": "g", "ɢ": "g", "ɦ": "h", "ɪ": "i", "ɨ": "i", "ɩ": "i", "ʝ": "j", "ƙ": "k", "ʟ": "l", "ɫ": "l", "ɭ": "l",
    "ƚ": "l", "ɱ": "m", "ɯ": "m", "ɲ": "n", "ƞ": "n", "ɴ": "n", "ɵ": "o", "ɔ": "o", "ƥ": "p", "ʀ": "r", "ɹ": "r", "ɾ": "r",
    "ʁ": "r", "ʂ": "s", "ƭ": "t", "ʈ": "t", "ʇ": "t", "ʉ": "u", "ʊ": "u", "ʋ": "v", "ʌ": "v", "ʍ": "w", "ʏ": "y", "ƴ": "y",
    "ʎ": "y", "ʐ": "z", "ƶ": "z", "ʙ": "b", "ʜ": "h", "ᴀ": "a", "ᴄ": "c", "ᴅ": "d", "ᴇ": "e", "ᴊ": "j", "ᴋ": "k", "ᴍ": "m",
    "ᴏ": "o", "ᴘ": "p", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v", "ᴡ": "w", "ᴢ": "z", "ꜰ": "f", "ꜱ": "s", "ꭓ": "x",
    # Arabic and Persian letters written in several ways
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ې": "ي", "ک": "ك", "ة": "ه", "ۀ": "ه", "ہ": "ه", "ھ": "ه",
    "ؤ": "و", "ئ": "ي",
    # Katakana as hiragana would need the sound's context; only the small kana that stand for large ones at will
    "ゕ": "か", "ゖ": "け",
}  # fmt: skip
_TATWEEL: Final = "\u0640"
_DROPPED_MARKS: Final = (
    (0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05BD), (0x05BF, 0x05BF), (0x05C1, 0x05C2), (0x05C4, 0x05C5), (0x05C7, 0x05C7),
    (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06DC), (0x06DF, 0x06E4), (0x06E7, 0x06E8),
    (0x06EA, 0x06ED), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F),
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xFFA0, 0xFFA0),
)  # fmt: skip
_UNSPACED: Final = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0x20000, 0x3FFFF),
)  # fmt: skip
# Digits and signs that stand for letters. 1, ! and | stand for i or for l: both readings are tried.
LEET: Final = {
    "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s", "!": "i", "|": "i",
    "€": "e", "£": "l",
}  # fmt: skip
LEET_OTHER: Final = {"1": "l", "!": "l", "|": "l"}
_JOINERS: Final = frozenset("-._*~+=/\\·•‐‑–—")


class Tables(NamedTuple):
    """Lookups over all code points, and the same for ASCII as byte translations.

    ``fold``       (0x110000,) uint32: the folded code point; 0 drops it; from 0x110000 on a row of ``expansions``.
    ``expansions`` (k, 6) uint32, ``lengths`` (k,): spellings of more than one character.
    ``classes``    (0x110000,) uint8 of folded characters.
    """

    fold: NDArray[np.uint32]
    expansions: NDArray[np.uint32]
    lengths: NDArray[np.int64]
    classes: NDArray[np.uint8]
    leet: NDArray[np.uint32]
    leet_other: NDArray[np.uint32]
    ascii_fold: bytes
    ascii_classes: bytes


def folded(character: str) -> str:
    """The spelling that a character counts as; empty where it is dropped."""
    if "\uac00" <= character <= "\ud7a3":
        return character
    if unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"}:
        return " "
    spelling = unicodedata.normalize("NFKD", character.casefold()).casefold()
    parts = (part for part in unicodedata.normalize("NFKD", spelling) if not _is_dropped(part))
    return "".join(_LOOK_ALIKES.get(part, part) for part in parts)[:_LONGEST]


def _is_dropped(character: str) -> bool:
    number = ord(character)
    if character == _TATWEEL or unicodedata.category(character) == "Cf" or 0xE0000 <= number <= 0xE0FFF:
        return True
    return any(first <= number <= last for first, last in _DROPPED_MARKS)


def class_of(character: str) -> int:
    """The class of a folded character."""
    category = unicodedata.category(character)
    if category[0] in "LM":
        return LETTER
    if category[0] == "N":
        return DIGIT
    if character in LEET:
        return SYMBOL
    if character in _JOINERS:
        return JOINER
    return SPACE if category[0] == "Z" else SEPARATOR


def is_unspaced(character: str) -> bool:
    """The character belongs to a script written without spaces: every place beside it is the edge of a word."""
    number = ord(character)
    return number > 0xDFF and any(first <= number <= last for first, last in _UNSPACED)


@lru_cache(maxsize=1)
def tables() -> Tables:
    """Built once, in a few tenths of a second."""
    fold = np.arange(CODE_POINTS, dtype=np.uint32)
    fold[0xE0000:0xE1000] = 0
    spellings = [folded(chr(number)) for number in range(_TABULATED)]
    long = [number for number, spelling in enumerate(spellings) if len(spelling) > 1]
    for number, spelling in enumerate(spellings):
        fold[number] = ord(spelling) if len(spelling) == 1 else 0
    fold[long] = CODE_POINTS + np.arange(len(long), dtype=np.uint32)
    fold[0x2F800:0x2FA20] = [ord(unicodedata.normalize("NFKD", chr(number))) for number in range(0x2F800, 0x2FA20)]
    expansions = np.zeros((len(long), _LONGEST), np.uint32)
    for row, number in enumerate(long):
        expansions[row, : len(spellings[number])] = [ord(part) for part in spellings[number]]
    classes = np.full(CODE_POINTS, LETTER, np.uint8)
    classes[:_TABULATED] = [class_of(chr(number)) for number in range(_TABULATED)]
    lengths = np.array([len(spellings[number]) for number in long], np.int64)
    leet = _with(np.arange(CODE_POINTS, dtype=np.uint32), LEET)
    ascii_fold = bytes(fold[:128].astype(np.uint8)) + bytes(range(128, 256))
    ascii_classes = bytes(classes[fold[:128]]) + bytes(128)
    return Tables(fold, expansions, lengths, classes, leet, _with(leet, LEET_OTHER), ascii_fold, ascii_classes)


def _with(table: NDArray[np.uint32], changes: dict[str, str]) -> NDArray[np.uint32]:
    changed = table.copy()
    changed[[ord(sign) for sign in changes]] = [ord(letter) for letter in changes.values()]
    return changed
