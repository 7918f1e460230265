"""The documents agree with the code: links lead somewhere, commands exist, maps show the house as it is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("README.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"^\s*(?:\$ )?(vigil|make) (?!=)([^#\n]*)", re.MULTILINE)


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=identify)
def test_links_lead_somewhere(document: Path) -> None:
    found = LINK.findall(document.read_text())
    targets = [target for target in found if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def code_blocks(text: str) -> str:
    return "\n".join(re.findall(r"```(?:\w*)\n(.*?)```", text, re.DOTALL))


@cache
def help_of(*verbs: str) -> str | None:
    command = [sys.executable, "-m", "vigil.cli", *verbs, "--help"]
    environment = {"COLUMNS": "200", "PATH": "/usr/bin:/bin", "TERM": "dumb"}
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return finished.stdout if finished.returncode == 0 else None


@cache
def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands() -> list[tuple[str, str]]:
    found = []
    for document in DOCUMENTS:
        for match in COMMAND.finditer(code_blocks(document.read_text())):
            found.append((identify(document), f"{match.group(1)} {match.group(2)}".strip()))
    return sorted(set(found))


@pytest.mark.parametrize(("document", "command"), commands())
def test_commands_in_documents_exist(document: str, command: str) -> None:
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        assert words[1] in targets(), f"{document}: {command}"
        return
    verbs: list[str] = []
    for word in words[1:]:
        is_group = not verbs or "COMMAND" in (help_of(*verbs) or "")
        if not is_group or not re.fullmatch(r"[a-z][a-z-]*", word) or help_of(*verbs, word) is None:
            break
        verbs.append(word)
    text = help_of(*verbs)
    assert verbs, f"{document}: no such verb in: {command}"
    options = [word.split("=")[0].strip("[]") for word in words if word.strip("[").startswith("--")]
    assert text is not None
    assert [option for option in options if option not in text] == [], f"{document}: {command}"


def layers(name_start: str) -> list[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return next(contract["layers"] for contract in contracts if contract["name"].startswith(name_start))


def test_the_map_in_the_readme_shows_every_room() -> None:
    rooms = {path.name for path in (ROOT / "src" / "vigil").iterdir() if (path / "__init__.py").exists()}
    mapped = set(re.findall(r"^\| `src/vigil/(\w+)`", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert mapped == rooms


def test_the_architecture_page_has_the_floors_of_the_contracts() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    order = " > ".join(layer.strip() for layer in layers("A case moves upwards")[1:])
    assert order in text.replace("`settings | ", "")
    for layer in layers("Upper floors"):
        for room in layer.split("|"):
            assert room.strip() in text


@pytest.mark.parametrize("record", sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")), ids=lambda path: path.stem)
def test_decisions_say_what_was_rejected(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}")
    assert "ejected" in text
