"""Rules of the house that no linter knows: what may stand in the repository, and how rooms are furnished."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT_ENDINGS = {".py", ".md", ".toml", ".txt", ".html", ".css", ".js", ".cpp", ".h", ".in", ".po", ".yaml", ".json", ".svg", ""}
# Data of others that is kept whole and unaltered; its origin stands in the PROVENANCE.md beside it.
FOREIGN = ("tests/vectors/",)
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py", "util.py"}
RESERVED_HOST = re.compile(
    r"(^|\.)(example|test|invalid|localhost|onion|example\.(com|org|net))$|^(127\.|0\.0\.0\.0$|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.)"
)
# Names of specifications and namespaces that code has to spell out; nothing is fetched from them.
NAMESPACES = {"hashsharing.ncmec.org", "www.w3.org", "vega.github.io", "json-schema.org", "spec.openapis.org"}


@cache
def tracked() -> tuple[Path, ...]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(ROOT / name for name in listing.split("\0") if name and (ROOT / name).exists())


def texts(*folders: str) -> list[tuple[Path, str]]:
    chosen = [
        path
        for path in tracked()
        if path.suffix in TEXT_ENDINGS
        and (not folders or path.relative_to(ROOT).parts[0] in folders)
        and not str(path.relative_to(ROOT)).startswith(FOREIGN)
    ]
    return [(path, path.read_text(encoding="utf-8")) for path in chosen]


def sources() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(text)) for path, text in texts("src") if path.suffix == ".py" and "/migrations/" not in str(path)]


def test_no_file_is_called_by_a_name_that_says_nothing() -> None:
    assert [path for path in tracked() if path.name in FORBIDDEN_NAMES] == []


def test_tests_with_a_database_of_their_own_say_so() -> None:
    """Else they would be left out on PostgreSQL as tests without any (tests/hotline/conftest.py)."""
    modules = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): text for path, text in texts("tests")
               if path.suffix == ".py" and path.is_relative_to(ROOT / "tests" / "hotline")}  # fmt: skip
    users, before = {"tests.hotline.own_database"}, set[str]()
    while users != before:
        before = users
        users = users | {name for name, text in modules.items() if any(f"from {user} import" in text for user in users)}
    tests = {name for name in users if ".test_" in name}
    assert "tests.hotline.reports.test_at_once" in tests
    assert [name for name in sorted(tests) if not re.search(r"mark\.(own_database|browser)", modules[name])] == []


def test_lock_files_hold_no_addresses() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(), path.name
        assert "--index-url" not in path.read_text(), path.name


def test_nothing_names_a_path_of_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.$}{])/(?:ro" + r"ot|ho" + r"me|wo" + r"rk)/\w")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_addresses_in_code_and_tests_use_reserved_names() -> None:
    pattern = re.compile(r"(?:https?|wss?)://([A-Za-z0-9.-]+\.[A-Za-z]{2,})(?=[/:\"'\s?#<)`]|$)")
    found = [
        f"{path.relative_to(ROOT)}: {match.group(1)}"
        for path, text in texts("src", "examples", "tools")
        for match in pattern.finditer(text)
        if not RESERVED_HOST.search(match.group(1).lower()) and match.group(1) not in NAMESPACES
    ]
    assert found == []


def test_no_assert_decides_anything_at_run_time() -> None:
    found = [f"{path}:{node.lineno}" for path, tree in sources() for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert found == []


def test_no_error_is_swallowed_whole() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]
    assert found == []


def imports_of(name: str, tree: ast.Module, known: set[str]) -> set[str]:
    """The modules of ours that a module names, in annotations too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{each.name}" for each in node.names}
            found |= (whole & known) or {node.module}
    return (found & known) - {name}


def test_no_modules_import_each_other_in_a_circle() -> None:
    trees = {".".join(path.relative_to(ROOT / "src").with_suffix("").parts): tree for path, tree in sources()}
    named = {name.removesuffix(".__init__"): tree for name, tree in trees.items()}
    graph = {name: imports_of(name, tree, set(named)) for name, tree in named.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_module_says_what_it_is() -> None:
    bare = [path for path, tree in sources() if tree.body and path.name != "apps.py" and ast.get_docstring(tree) is None]
    assert bare == []


def rooms() -> list[Path]:
    source = ROOT / "src" / "vigil"
    inner = {
        "hotline": ["access", "audit", "approvals", "vault", "welfare", "partners", "reports", "holds", "schemes",
                    "reviews", "assessments", "lists", "triage", "retention", "statistics", "doors"],
        "match": ["urls", "keywords", "hashing", "index"],
    }
    top = [path for path in source.iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    return top + [source / room / name for room, names in inner.items() for name in names]


@pytest.mark.parametrize("room", rooms(), ids=lambda path: path.name)
def test_every_room_has_a_short_readme(room: Path) -> None:
    lines = (room / "README.md").read_text().splitlines()
    assert lines[0].startswith("# ")
    assert 4 <= len(lines) <= 40


def test_longest_functions_stay_readable() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno > 100
    ]
    assert long == []
