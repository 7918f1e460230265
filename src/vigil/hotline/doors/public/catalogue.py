"""The messages of the public door and the design, read from templates and code without any outside program.

    python -m vigil.hotline.doors.public.catalogue      brings each .po up to date and compiles each .mo (needs polib)

New messages come in empty, messages that are gone go; a test fails while one is empty or an .mo is older than its .po.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.utils.translation import template as translatable

from vigil.hotline.doors import child_words, design, public
from vigil.hotline.doors.languages import LANGUAGES as OFFERED

HOTLINE: Final = Path(__file__).resolve().parents[2]
LOCALE: Final = HOTLINE / "locale"
LANGUAGES: Final = tuple(code for code, _ in OFFERED if code != "en")
FOLDERS: Final = tuple(Path(package.__path__[0]) for package in (public, design))
FILES: Final = (Path(str(child_words.__file__)),)
CALLS: Final = {"_": 1, "gettext": 1, "gettext_lazy": 1, "ngettext": 2, "ngettext_lazy": 2}
IN_TEMPLATE: Final = re.compile(r"\bgettext\(u('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\)")


@dataclass(frozen=True, slots=True)
class Message:
    """One message as written in English; ``plural`` is empty where there is none."""

    text: str
    plural: str = ""


def messages() -> dict[Message, list[str]]:
    """Every message and the files it stands in."""
    found: dict[Message, list[str]] = {}
    for path in _sources():
        for message in messages_in(path):
            places = found.setdefault(message, [])
            if (place := path.relative_to(HOTLINE).as_posix()) not in places:
                places.append(place)
    return found


def _sources() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted([*folder.rglob("*.py"), *folder.rglob("*.html")])
    yield from FILES


def messages_in(path: Path) -> Iterator[Message]:
    """The messages of one file."""
    source = path.read_text("utf-8")
    if path.suffix == ".html":
        for literal in IN_TEMPLATE.findall(translatable.templatize(source)):
            yield Message(ast.literal_eval(literal))
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            if len(texts) == CALLS[node.func.id]:
                yield Message(*texts)


def bring_up_to_date(language: str) -> int:
    """Bring the .po of ``language`` in step with the code and compile it: how many messages are still empty."""
    polib: Any = importlib.import_module("polib")  # a tool of developers, not of an installation
    folder = LOCALE / language / "LC_MESSAGES"
    catalogue = polib.pofile(str(folder / "django.po"), wrapwidth=110)
    present = {Message(entry.msgid, entry.msgid_plural): entry for entry in catalogue}
    wanted = messages()
    for message, entry in present.items():
        if message not in wanted:
            catalogue.remove(entry)
    for message, places in wanted.items():
        entry = present.get(message)
        if entry is None:
            entry = polib.POEntry(msgid=message.text, msgid_plural=message.plural)
            catalogue.append(entry)
        entry.occurrences = [(place, "") for place in places]
    catalogue.save()
    catalogue.save_as_mofile(str(folder / "django.mo"))
    return len(catalogue.untranslated_entries())


def main() -> None:
    """Bring all languages up to date and say what is missing."""
    for language in LANGUAGES:
        print(f"{language}: {bring_up_to_date(language)} messages without a translation")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
