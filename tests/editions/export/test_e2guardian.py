"""e2guardian itself decides with the exported list, in front of a web server that answers for every name."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.editions.export.proxies import OURS, free_port, proxy, web_behind
from tests.editions.export.world import is_covered, made, some_contents, whole_entries

from vigil.match.urls import canonical

PACKAGED = Path("/etc/e2guardian")


def configured(folder: Path, sites: bytes, port: int, parent: int) -> Path:
    """The packaged configuration, moved into a folder of its own, with our list as its banned sites."""
    home = folder / "e2guardian"
    shutil.copytree(PACKAGED, home, ignore=shutil.ignore_patterns("private"))
    for path in [*home.glob("*.conf"), *home.glob("*.story"), *(home / "lists").rglob("*")]:
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"/etc/e2guardian", str(home).encode()))
    (home / "lists" / "bannedsitelist").write_bytes(sites)
    settings = {
        "filterip": "127.0.0.1", "filterports": port, "proxyip": "127.0.0.1", "proxyport": parent, "httpworkers": 20,
        "nodaemon": "on", "nologger": "on", "pidfilename": f"'{folder}/pid'", "loglocation": f"'{folder}/access.log'",
        "daemonuser": f"'{pwd.getpwuid(os.getuid()).pw_name}'", "daemongroup": f"'{grp.getgrgid(os.getgid()).gr_name}'",
        "filecachedir": f"'{folder}'",
    }  # fmt: skip
    chosen = home / "e2guardian.conf"
    dropped = re.compile(rf"^#?({'|'.join(settings)}|transparenthttpsport|checkip)\s*=")
    kept = [line for line in chosen.read_text().splitlines() if not dropped.match(line)]
    chosen.write_text("\n".join([*kept, *(f"{name} = {value}" for name, value in settings.items())]) + "\n")
    return chosen


@contextmanager
def e2guardian(folder: Path, sites: bytes) -> Iterator[Callable[[str], bytes]]:
    """A running filter; gives the answer to a request for the first page of a host."""
    port = free_port()
    with web_behind() as behind:
        command = ["e2guardian", "-N", "-c", str(configured(folder, sites, port, behind))]
        with proxy(command, port) as ask:
            yield lambda host: ask(f"http://{host}/")[1]


def test_e2guardian_blocks_what_the_entries_cover_before_and_after_a_withdrawal(tmp_path: Path) -> None:
    source = some_contents()
    fewer = replace(source, urls=tuple(entry for entry in source.urls if entry.entry != 10))
    asked = ("quimber.test", "deep.www.quimber.test", "xquimber.test", "quimber.test.zorblat.test", "skipped.test")
    for place, kept in enumerate((source, fewer)):
        export = made("e2guardian", kept)
        (tmp_path / str(place)).mkdir()
        with e2guardian(tmp_path / str(place), export.files["bannedsitelist"]) as ask:
            blocked = {host for host in asked if ask(host) != OURS}
        whole = whole_entries(kept, export)
        assert blocked == {host for host in asked if is_covered(whole, canonical(f"http://{host}/"))}
        assert bool(blocked) is (kept is source)
