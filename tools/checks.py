"""Runs the checks of the project, one after the other, and says plainly which failed.

Usage: python tools/checks.py [--jobs N] all | fast | stories | docs | fuzz | soak
       (or names of single checks; --list shows them; N checks at a time)

Every check is a command that a developer can type as well; its output goes to the screen and to
artifacts/logs/<name>.log. The run stops at the end, not at the first failure, so that one run shows everything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "artifacts"
PYTHON = sys.executable
CORE_SUITES = ["tests/base", "tests/match", "tests/media", "tests/editions", "tests/edge", "tests/client"]


@dataclass(frozen=True)
class Check:
    name: str
    says: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def pytest(suite: str, *arguments: str, only: str = "not soak") -> list[str]:
    results = str(ARTIFACTS / "results" / f"{suite}.json")
    return [PYTHON, "-m", "pytest", "-q", "-m", only, "--results", results, *arguments]


def on_postgres(*command: str) -> list[str]:
    return [PYTHON, "tools/postgres.py", "run", "--", *command]


CHECKS = [
    Check("style", "code style and forbidden calls", ["ruff", "check", "."]),
    Check("types", "types, strictly", ["mypy"]),
    Check("walls", "walls between the rooms", ["lint-imports"]),
    Check("migrations", "migrations are complete", [PYTHON, "tools/django_checks.py", "migrations"]),
    Check("deploy", "production settings pass Django's deploy checks", [PYTHON, "tools/django_checks.py", "deploy"]),
    Check("house", "the house rules", pytest("house", "tests/house", "tests/base", "tests/cli")),
    Check("core", "matching, media, editions, edge", pytest("core", *CORE_SUITES[1:])),
    # The browser meets the console over PostgreSQL here, and an installation on SQLite in the stories.
    Check("hotline-sqlite", "the hotline on SQLite, without a browser",
          pytest("hotline-sqlite", "tests/hotline", "tests/installation", only="not soak and not browser")),
    # Each test runs on SQLite; what a database can change runs on PostgreSQL too (the rule: tests/hotline/conftest.py).
    Check("hotline-postgresql", "the hotline on PostgreSQL",
          on_postgres(*pytest("hotline-postgresql", "tests/hotline", "--database-only"))),
    Check("hma", "the routes that HMA clients know, black-box", pytest("hma", "tests/hma")),
    Check("exchange", "examples under their frameworks", pytest("exchange", "tests/exchange")),
    Check("scan", "bulk scans: folders, archives, buckets, killed, resumed, on Ray", pytest("scan", "tests/scan")),
    Check("lab", "proxies and resolvers of networks, as packaged, in front of an edge node", pytest("lab", "tests/lab")),
    Check("delivery", "editions on hosts, stores and signers of others", pytest("delivery", "tests/delivery")),
    Check("fuzz-python", "parsers against random bytes, short", [PYTHON, "tools/fuzz_python.py", "20"]),
    Check("fuzz-kernel", "kernel against random bytes under AddressSanitizer, short",
          [PYTHON, "tools/fuzz_kernel.py", "20"]),
    Check("other-processors", "the kernel on aarch64 gives the same results", [PYTHON, "tools/other_processors.py"]),
    Check("stories", "browser stories on a running installation", pytest("stories", "tests/stories")),
    Check("edge-alone", "matching, media, editions and edge as an operator installs them: the edge extra alone, no Django",
          [PYTHON, "tools/edge_alone.py", *pytest("edge-alone", *CORE_SUITES)[4:]]),
    Check("texts", "links, commands, maps and pictures in the documents",
          pytest("texts", "tests/docs/test_texts.py", "tests/docs/test_pictures.py")),
    Check("claims", "what Vigil is said to do has run and passed", pytest("claims", "tests/docs/test_capabilities.py")),
    Check("fuzz-python-long", "parsers against random bytes, long", [PYTHON, "tools/fuzz_python.py", "600"]),
    Check("fuzz-kernel-long", "kernel against random bytes, long", [PYTHON, "tools/fuzz_kernel.py", "600"]),
    Check("soak", "50 rounds of killed processes; every byte of an edition altered",
          pytest("soak", "tests/stories", "tests/editions", "tests/lab", only="soak")),
]  # fmt: skip
BY_NAME = {check.name: check for check in CHECKS}
ONLY_LONG = {"fuzz-python-long", "fuzz-kernel-long", "soak"}
LAST = ("claims",)  # judges what the others wrote down
LONGEST = ("hotline-postgresql", "hotline-sqlite", "edge-alone", "stories", "lab", "scan", "hma", "house")
GROUPS = {
    # The core suites run once: from an installed wheel, in the environment of an enforcement node.
    "all": [check.name for check in CHECKS if check.name not in {*ONLY_LONG, "core"}],
    "fast": ["style", "types", "walls", "migrations", "house", "core"],
    "docs": ["texts", "claims"],
    "fuzz": ["fuzz-python-long", "fuzz-kernel-long"],
    "soak": ["soak"],
}


def run(check: Check, *, quietly: bool) -> bool:
    """Run one check; its output goes to its log, and to the screen as it comes unless ``quietly``: then when it is over,
    whole where it failed and its last lines where it passed."""
    if not quietly:
        print(f"\n== {check.name}: {check.says}", flush=True)
    started = time.monotonic()
    log = ARTIFACTS / "logs" / f"{check.name}.log"
    environment = {**os.environ, **check.environment, "PATH": f"{Path(PYTHON).parent}:{os.environ['PATH']}"}
    # Thousands of processes are started: one that may not keep its bytecode compiles Django and Vigil anew each time.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            check.command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if process.stdout is None:
            raise RuntimeError("no pipe")
        for line in process.stdout:
            stream.write(line)
            if not quietly:
                sys.stdout.buffer.write(line)
                sys.stdout.flush()
    good = process.wait() == 0
    told = f"== {check.name}: {'passed' if good else 'FAILED'} after {time.monotonic() - started:.0f} s"
    if quietly:
        lines = log.read_text("utf-8", "replace").splitlines()
        told = "\n".join([f"\n== {check.name}: {check.says}", *lines[-3 if good else 0 :], told])
    print(told, flush=True)
    return good


def run_all(names: list[str], jobs: int) -> list[str]:
    """Run the checks on ``jobs`` lanes, the longest first, and those that judge the others at the end; names that failed."""
    if jobs == 1:
        return [name for name in names if not run(BY_NAME[name], quietly=False)]
    first = sorted((name for name in names if name not in LAST), key=lambda name: LONGEST.index(name) if name in LONGEST else 99)
    with ThreadPoolExecutor(jobs) as lanes:
        outcomes = dict(zip(first, lanes.map(lambda name: run(BY_NAME[name], quietly=True), first), strict=True))
    outcomes |= {name: run(BY_NAME[name], quietly=True) for name in names if name in LAST}
    return [name for name in names if not outcomes[name]]


def main(arguments: list[str]) -> int:
    jobs = 1
    if arguments[:1] == ["--jobs"]:
        jobs, arguments = max(1, int(arguments[1])), arguments[2:]
    if not arguments or arguments == ["--list"]:
        for check in CHECKS:
            print(f"{check.name:20} {check.says}")
        return 0 if arguments else 2
    names = [name for argument in arguments for name in GROUPS.get(argument, [argument])]
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        print("no such check:", ", ".join(unknown))
        return 2
    if "all" in arguments:
        shutil.rmtree(ARTIFACTS / "results", ignore_errors=True)
        os.environ["VIGIL_RESULTS"] = "required"  # the claims check wants the outcome of every test it names
    for folder in ("logs", "results"):
        (ARTIFACTS / folder).mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    failed = run_all(names, jobs)
    print(f"\n{len(names) - len(failed)} of {len(names)} checks passed in {time.monotonic() - started:.0f} s")
    for name in failed:
        print(f"  failed: {name}   (artifacts/logs/{name}.log; again: python tools/checks.py {name})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
