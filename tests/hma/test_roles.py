"""Who may: tokens with roles at both doors, nobody without one unless this machine was opened; and what happens in between."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hma.world import Installation, Server, installation, picture, until
from tests.lab import peers
from tests.lab.peers import free_port, program, started
from tests.support import nginx

from vigil.base.errors import InputError
from vigil.edge import config as edge_config

HASHER, MATCHER = "hasher-token-zorblat-01", "matcher-token-zorblat-1"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, media: str) -> Iterator[Installation]:
    """An installation where everybody needs a token; it has a curator's for both doors."""
    with installation(tmp_path_factory.mktemp("closed"), media, tokens=(f"hasher {HASHER}", f"matcher {MATCHER}")) as made:
        yield made


@pytest.fixture(scope="module")
def curator(closed: Installation) -> str:
    import json

    return str(json.loads(closed.vigil("hotline", "bank", "enrol", "coop", "--role", "curator", "--json"))["token"])


ROUTES = [("GET", "/h/hash"), ("POST", "/h/hash"), ("GET", "/m/lookup"), ("POST", "/m/lookup"),
          ("POST", "/m/lookup/batch"),
          ("GET", "/m/raw_lookup"), ("GET", "/m/index/status"), ("POST", "/m/compare"), ("GET", "/c/banks"), ("POST", "/c/banks"),
          ("GET", "/c/bank/Z"), ("PUT", "/c/bank/Z"), ("DELETE", "/c/bank/Z"),
          ("GET", "/c/exchanges"), ("GET", "/c/signal_type")]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_without_a_token(closed: Installation, method: str, path: str) -> None:
    for token in (None, "zorblat"):
        said = Server(closed.base, token).ask(method, path)
        assert said.status == 401 and said.headers["www-authenticate"] == "Bearer" and "message" in said.json


def test_status_needs_none(closed: Installation) -> None:
    assert Server(closed.base).get("/status").status == 200


def test_a_role_reaches_its_own_routes(closed: Installation, curator: str) -> None:
    hasher, matcher, keeper = (Server(closed.base, token) for token in (HASHER, MATCHER, curator))
    assert hasher.get("/h/hash").status == 422 and hasher.get("/m/index/status").status == 403
    assert matcher.get("/m/index/status").status == 200 and matcher.get("/h/hash").status == 403
    assert keeper.get("/c/banks").status == 200
    assert hasher.get("/c/banks").status == 401  # the partner door knows nothing of the node's tokens


def test_a_reader_may_not_curate_and_a_follower_sees_no_banks(closed: Installation) -> None:
    import json

    tokens = {
        role: json.loads(closed.vigil("hotline", "bank", "enrol", role, "--role", role, "--json"))["token"]
        for role in ("reader", "follower")
    }
    reader, follower = Server(closed.base, tokens["reader"]), Server(closed.base, tokens["follower"])
    assert reader.get("/c/banks").status == 200
    assert reader.send("POST", "/c/banks", {"name": "ZORBLAT"}).status == 403
    assert follower.get("/c/banks").status == 403
    partner = f"http://127.0.0.1:{closed.ports.partner}"
    assert Server(partner, tokens["follower"]).get("/v1/banks").status == 200
    assert Server(partner, tokens["reader"]).get("/v1/banks").status == 403
    closed.vigil("hotline", "bank", "revoke", "reader")
    assert reader.get("/c/banks").status == 401


def test_opened_for_this_machine_is_not_opened_for_a_proxy(vigil: Installation) -> None:
    server = Server(vigil.base)
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        for path in ("/m/index/status", "/c/banks"):
            assert server.get(path, **{header.replace("-", "_"): "203.0.113.7"}).status in {401, 403}
    partner = Server(f"http://127.0.0.1:{vigil.ports.partner}")
    assert partner.get("/c/banks").status == 401, "the partner door is open to nobody"
    assert partner.get("/v1/banks").status == 401


def test_the_block_of_the_guide_serves_the_whole_interface_under_one_address(
    closed: Installation, curator: str
) -> None:
    """Debian's nginx with the very block that the guide shows: curation, hashing and matching behind one base address."""
    port = free_port()
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "hma.md").read_text()
    block = guide.split("```nginx\n")[1].partition("```")[0]
    block = block.replace("listen 443 ssl", f"listen 127.0.0.1:{port}").replace(":5100", f":{closed.ports.hma}")
    with peers.folder() as place, started(nginx.configured(program("nginx"), place, block), port, place):
        behind_a_proxy(f"http://127.0.0.1:{port}", curator)


def behind_a_proxy(base: str, curator: str) -> None:
    """Bank, hash, match, delete, with the tokens of three machines."""
    hasher, matcher, keeper = (Server(base, token) for token in (HASHER, MATCHER, curator))
    value = secrets.token_hex(32)
    bank = keeper.new_bank()
    number = keeper.banked(bank, pdq=value)
    until(lambda: matcher.lookup("pdq", value))
    assert matcher.lookup("pdq", value) == {bank: [{"bank_content_id": number, "distance": "0"}]}
    assert hasher.upload("/h/hash", {"photo": picture(3)}).json["pdq"]
    assert keeper.get(f"//c/bank/{bank}").status == 200, "two slashes in front, as Coop sends them"
    for path in ("/c/banks", "/m/index/status", "/h/hash"):
        assert Server(base).get(path).status == 401, "this machine's openness never reaches behind a proxy"
    assert keeper.ask("DELETE", f"/c/bank/{bank}").status == 200
    until(lambda: not matcher.lookup("pdq", value))


def test_open_only_on_loopback(tmp_path: Path) -> None:
    least = 'node = "n-1"\nstate = "state"\n[editions]\nsource = "published"\n'
    for wrong, where in (
        ("host = '0.0.0.0'\nopen_on_loopback = true", "hma.open_on_loopback"),
        ("", "hma.tokens_file"),
        ("open_on_loopback = true\nmax_stale_seconds = 1", "hma.max_stale_seconds"),
        ("open_on_loopback = true\nfetch_networks = ['zorblat']", "hma.fetch_networks"),
    ):
        text = f"{least}[hma]\nenabled = true\nbanks = 'http://127.0.0.1:1/v1/banks'\n{wrong}\n"
        with pytest.raises(InputError) as caught:
            edge_config.parse(text.encode())
        assert caught.value.where == where


def test_off_by_default(tmp_path: Path) -> None:
    assert edge_config.Hma().enabled is False


def test_the_node_serves_on_while_the_hotline_is_away(vigil: Installation) -> None:
    """Also after a restart of the node: what was taken up once is in force; then the rest is caught up."""
    server = Server(vigil.base)
    bank, value, later = server.new_bank(), secrets.token_hex(32), secrets.token_hex(32)
    server.banked(bank, pdq=value)
    server.settled()
    vigil.stop("partner")
    try:
        assert bank in server.lookup("pdq", value)
        assert server.get("/c/banks").status == 503
        vigil.stop("edge")
        vigil.start("edge")
        until(lambda: answers(server))
        assert bank in server.lookup("pdq", value)
    finally:
        vigil.start("partner")
    until(lambda: server.get("/c/banks").status == 200)
    server.banked(bank, pdq=later)
    until(lambda: bank in server.lookup("pdq", later))


def answers(server: Server) -> bool:
    try:
        return server.get("/status").status == 200
    except OSError:
        return False


def test_a_killed_worker_is_replaced(vigil: Installation) -> None:
    import os
    import signal

    server = Server(vigil.base)
    workers = workers_of(vigil.processes["edge"].pid)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: len(set(workers_of(vigil.processes["edge"].pid)) - {workers[0]}) == 2)
    until(lambda: answers(server))


def workers_of(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if above == parent and b"vigil.edge.hma.worker" in line:
                found.append(int(folder.name))
    return found
