"""docs/capabilities.md is true: every test it names exists and passed, every benchmark it names exists."""

from __future__ import annotations

import ast
import json
import os
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "capabilities.md"
RESULTS = ROOT / "artifacts" / "results"
TEST_NAME = re.compile(r"tests/[\w/]+\.py::\w+(?:::\w+)?")
BENCH_NAME = re.compile(r"bench:(\w+)")


def rows() -> list[list[str]]:
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    return [row for row in cells if row[0] != "Capability" and not set(row[0]) <= {"-", ":"}]


def named_tests() -> list[str]:
    return sorted({name for row in rows() for name in TEST_NAME.findall(row[2])})


@cache
def tests_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
        if isinstance(node, ast.Assign):  # Hypothesis state machines are bound to a name
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


@cache
def outcomes() -> dict[str, str]:
    merged: dict[str, str] = {}
    for file in RESULTS.glob("*.json"):
        for name, outcome in json.loads(file.read_text()).items():
            if merged.get(name, "passed") == "passed":
                merged[name] = outcome
    return merged


def benchmarks() -> set[str]:
    found = [re.findall(r"name=\"(\w+)\"", path.read_text()) for path in (ROOT / "benchmarks").glob("*.py")]
    return {name for names in found for name in names}


def test_every_row_has_a_use_and_a_proof() -> None:
    assert len(rows()) > 20
    for row in rows():
        assert len(row) == 3, row
        assert all(row), row
        assert TEST_NAME.search(row[2]) or BENCH_NAME.search(row[2]), f"no proof: {row[0]}"


def test_every_named_test_exists() -> None:
    missing = []
    for name in named_tests():
        path, _, test = name.partition("::")
        if not (ROOT / path).exists() or test not in tests_in(path):
            missing.append(name)
    assert missing == []


def test_every_named_benchmark_exists() -> None:
    named = {name for row in rows() for name in BENCH_NAME.findall(row[2])}
    assert named - benchmarks() == set()


def test_every_named_test_ran_and_passed() -> None:
    required = os.environ.get("VIGIL_RESULTS") == "required"
    if not required and not RESULTS.exists():
        pytest.skip("no run has left results yet; `make test` requires them")
    judged = {name: outcomes().get(name) for name in named_tests()}
    acceptable = {"passed"} if required else {"passed", None}
    assert {name: outcome for name, outcome in judged.items() if outcome not in acceptable} == {}
