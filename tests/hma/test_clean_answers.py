"""Where the original fails or misleads: bad input is 4xx with a message and a stable word, never 5xx or a wrong answer."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hma.test_conformance import ROUTES
from tests.hma.world import Said, Server, flat, picture, until


def refused(said: Said, status: int, code: str = "") -> None:
    assert said.status == status, said.body
    assert said.headers["content-type"] == "application/json"
    assert set(said.json) >= {"message", "code"}
    assert not code or said.json["code"] == code


@pytest.mark.parametrize("data", [b"", b"zorblat", picture(1)[:400], b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_undecodable_pictures(server: Server, data: bytes) -> None:
    bank = server.new_bank()
    for path in ("/h/hash", "/m/lookup", f"/c/bank/{bank}/content"):
        refused(server.upload(path, {"photo": data}), 400, "undecodable_media")


def test_what_is_fetched_may_mislead(server: Server, media: str) -> None:
    refused(server.get(f"/h/hash?url={quote(media + '/broken')}"), 400, "undecodable_media")
    refused(server.get(f"/h/hash?url={quote(media + '/untyped')}"), 400)
    assert server.get(f"/h/hash?url={quote(media + '/untyped')}&content_type=photo").status == 200
    assert server.get(f"/m/lookup?url={quote(media + '/liar')}").status == 200
    refused(server.get(f"/h/hash?url={quote(media + '/away')}"), 400, "fetch_refused")


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest", "file:///etc/hostname", "ftp://a.example/",
     "http://quimber.example/", "http://user@127.0.0.1/", "//127.0.0.1/", "zorblat", "http://"],
)  # fmt: skip
def test_addresses_nobody_named_are_not_fetched(server: Server, address: str) -> None:
    refused(server.get(f"/h/hash?url={quote(address, safe='')}"), 400, "fetch_refused")


def test_a_flat_picture_is_an_answer(server: Server, media: str) -> None:
    said = server.upload("/m/lookup", {"photo": flat()})
    assert said.status == 200 and said.json["pdq"] == {}
    assert "low_quality" in said.headers["x-vigil-left-out"]
    assert server.get(f"/m/lookup?url={quote(media + '/flat')}").json["pdq"] == {}
    assert "pdq" not in server.upload("/h/hash", {"photo": flat()}).json
    bank = server.new_bank()
    kept = server.upload(f"/c/bank/{bank}/content", {"photo": flat()})
    assert set(kept.json["signals"]) == {"md5", "sha1", "sha256"}
    refused(server.upload(f"/c/bank/{bank}/content?types=pdq", {"photo": flat()}), 400, "low_quality")
    server.settled()
    assert bank in server.upload("/m/lookup", {"photo": flat()}).json["sha256"]


def test_a_hash_with_blanks_or_capitals(server: Server) -> None:
    bank, value = server.new_bank(), secrets.token_hex(32)
    made = server.send("POST", f"/c/bank/{bank}/signal", {"pdq": f" {value.upper()}\n"})
    assert made.json["signals"] == {"pdq": value}
    server.settled()
    assert bank in server.lookup("pdq", value.upper() + "%0A")
    refused(server.send("POST", f"/c/bank/{bank}/signal", {"pdq": value + "\n" + value}), 400)


@pytest.mark.parametrize("value", ["0" * 64, "f" * 64])
def test_constant_hashes_would_match_everything(server: Server, value: str) -> None:
    refused(server.send("POST", f"/c/bank/{server.new_bank()}/signal", {"pdq": value}), 400)


def test_the_hash_of_nothing_is_not_banked(server: Server) -> None:
    refused(server.send("POST", f"/c/bank/{server.new_bank()}/signal", {"video_md5": "d41d8cd98f00b204e9800998ecf8427e"}), 400)


def test_comparing_exact_types(server: Server) -> None:
    one, other = secrets.token_hex(16), secrets.token_hex(16)
    said = server.send("POST", "/m/compare", {"video_md5": [one, one.upper()], "pdq": [one + other, one + other]}).json
    assert said["video_md5"][0] is True and said["pdq"] == [True, {"distance": 0}]
    assert server.send("POST", "/m/compare", {"video_md5": [one, other]}).json == {"video_md5": [False, {}]}


def test_an_unknown_type_is_never_an_empty_answer(server: Server, media: str) -> None:
    refused(server.get(f"/m/lookup?url={quote(media + '/picture')}&signal_type=zorblat"), 400)


def test_bypassing_the_draw_works(server: Server) -> None:
    bank, value = server.new_bank(enabled_ratio=0), secrets.token_hex(32)
    server.banked(bank, pdq=value)
    server.settled()
    left_out = server.get(f"/m/lookup?signal_type=pdq&signal={value}")
    assert left_out.json == {} and left_out.headers["x-vigil-banks-not-drawn"] == bank
    assert bank in server.lookup("pdq", value, "&bypass_coinflip=true")


def test_the_same_question_has_the_same_answer(server: Server) -> None:
    bank, value = server.new_bank(enabled_ratio=0.5), secrets.token_hex(32)
    server.banked(bank, pdq=value)
    server.settled()
    assert len({server.get(f"/m/lookup?signal_type=pdq&signal={value}").body for _ in range(12)}) == 1


def test_deleted_is_deleted_on_every_path(server: Server) -> None:
    bank, value = server.new_bank(), secrets.token_hex(32)
    number = server.banked(bank, pdq=value, md5=value[:32])
    server.settled()
    server.ask("DELETE", f"/c/bank/{bank}/content/{number}")
    for kind, text in (("pdq", value), ("md5", value[:32])):
        ask = f"/m/raw_lookup?signal_type={kind}&signal={text}"
        until(lambda ask=ask: server.get(ask).json == {"matches": []})
        assert server.lookup(kind, text) == {}


@pytest.mark.parametrize("ratio", [7, -1, "nan", "inf", 1.5, "-0.1"])
def test_ratios_out_of_range(server: Server, ratio: object) -> None:
    refused(server.send("POST", "/c/banks", {"name": "ZORBLAT_RATIO", "enabled_ratio": ratio}), 400)
    refused(server.send("PUT", f"/c/bank/{server.new_bank()}", {"enabled_ratio": ratio}), 400)
    assert isinstance(server.get("/c/banks").json, list)


def test_not_enabled_means_never(server: Server) -> None:
    assert server.get(f"/c/bank/{server.new_bank(enabled=False)}").json["matching_enabled_ratio"] == 0


def test_long_names(server: Server) -> None:
    refused(server.send("POST", "/c/banks", {"name": "Z" * 256}), 400)


@pytest.mark.parametrize("document", [[], "zorblat", 7, None, True])
def test_bodies_that_are_no_objects(server: Server, document: object) -> None:
    bank = server.new_bank()
    number = server.banked(bank, pdq=secrets.token_hex(32))
    refused(server.send("POST", f"/c/bank/{bank}/signal", document), 400)
    refused(server.send("PUT", f"/c/bank/{bank}/content/{number}", document), 400)
    refused(server.send("POST", "/c/exchanges", document), 400)
    refused(server.send("POST", "/c/exchanges/api/ncmec", document), 400)
    refused(server.send("POST", "/c/banks", document), 422)


def test_switching_off_until_nothing(server: Server) -> None:
    bank = server.new_bank()
    number = server.banked(bank, pdq=secrets.token_hex(32))
    refused(server.send("PUT", f"/c/bank/{bank}/content/{number}", {"disable_until_ts": None}), 400)


def test_content_is_reached_through_its_own_bank_only(server: Server) -> None:
    bank, other = server.new_bank(), server.new_bank()
    number = server.banked(bank, pdq=secrets.token_hex(32))
    place = f"/c/bank/{other}/content/{number}"
    refused(server.get(place), 404)
    refused(server.send("PUT", place, {"disable_until_ts": 0}), 404)
    assert server.ask("DELETE", place).json == {"deleted": 0}
    assert server.get(f"/c/bank/{bank}/content/{number}").json["disable_until_ts"] == 1


@pytest.mark.parametrize("name", ["1ZORBLAT", "ZORBLAT\n", 7, None, ["Z"], {"a": 1}, "zorblat"])
def test_names_of_exchanges(server: Server, name: object) -> None:
    refused(server.send("POST", "/c/exchanges", {"bank": name, "api": "ncmec", "api_json": {}}), 400)


def test_an_exchange_and_its_bank(server: Server) -> None:
    name = f"QUIMBER_{secrets.token_hex(8).upper()}"
    wanted = {
        "bank": name,
        "api": "ncmec",
        "api_json": {"base_url": "https://feeds.example/v2", "only_esp_ids": [7], "enabled": False},
    }
    assert server.send("POST", "/c/exchanges", wanted).status == 201
    refused(server.send("POST", "/c/exchanges", wanted), 409)
    shown = server.get(f"/c/exchange/{name}").json
    assert (shown["name"], shown["api"], shown["enabled"], shown["only_esp_ids"]) == (name, "ncmec", False, [7])
    assert name in server.get("/c/exchanges").json and server.get(f"/c/bank/{name}").status == 200
    status = server.get(f"/c/exchange/{name}/status").json
    assert set(status) >= {"checkpoint_ts", "running_fetch_start_ts", "last_fetch_complete_ts", "last_fetch_succeeded",
                           "up_to_date", "fetched_items"}  # fmt: skip
    assert status["last_fetch_succeeded"] is None
    changed = server.send("PUT", f"/c/exchange/{name}", {"enabled": True})
    assert changed.json == {**shown, "enabled": True}
    for _ in range(2):
        assert server.ask("DELETE", f"/c/exchange/{name}").json == {"message": "Exchange deleted"}
    assert server.get(f"/c/bank/{name}").status == 404
    refused(server.send("POST", "/c/exchanges", {"bank": server.new_bank(), "api": "ncmec", "api_json": wanted["api_json"]}), 409)


@pytest.mark.parametrize(
    "settings_of",
    [None, [], "zorblat", {"enabled": "yes"}, {}, {"base_url": 7}, {"base_url": "https://x.example", "only_esp_ids": ["a"]}],
)
def test_settings_of_exchanges(server: Server, settings_of: object) -> None:
    refused(server.send("POST", "/c/exchanges", {"bank": "ZORBLAT_X", "api": "ncmec", "api_json": settings_of}), 400)
    refused(server.send("POST", "/c/exchanges", {"bank": "ZORBLAT_X", "api": "zorblat", "api_json": {}}), 400)


def test_credentials(server: Server) -> None:
    place = "/c/exchanges/api/stop_ncii"
    for wrong in ({"fetch_function_key": "a"}, [], "zorblat", {"fetch_function_key": "", "subscription_key": ""}, None):
        refused(server.send("POST", place, {"credential_json": wrong}), 400)
    secret = {"fetch_function_key": "zorblat-secret", "subscription_key": "quimber-secret", "more": 1}
    assert server.send("POST", place, {"credential_json": secret}).json["has_set_authentification"] is True
    assert server.send("POST", place, {}).json["has_set_authentification"] is True
    assert b"secret" not in server.get(place).body
    assert server.send("POST", place, {"credential_json": {}}).json["has_set_authentification"] is False


def test_a_signal_type_is_switched(server: Server) -> None:
    bank, value = server.new_bank(), secrets.token_hex(16)
    server.banked(bank, video_md5=value)
    server.settled()
    assert bank in server.lookup("video_md5", value)
    said = server.send("PUT", "/c/signal_type/video_md5", {"enabled_ratio": 0})
    assert (said.status, said.json) == (200, {"name": "video_md5", "enabled_ratio": 0})
    until(lambda: server.lookup("video_md5", value) == {})
    server.send("PUT", "/c/signal_type/video_md5", {"enabled_ratio": 1})
    until(lambda: bank in server.lookup("video_md5", value))
    refused(server.send("PUT", "/c/signal_type/zorblat", {"enabled_ratio": 1}), 404)
    refused(server.send("PUT", "/c/signal_type/pdq", {"enabled_ratio": 2}), 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/c/zorblat", 404), ("GET", "/m/zorblat", 404), ("GET", "/h/zorblat", 404), ("DELETE", "/m/lookup", 405),
     ("PUT", "/h/hash", 405), ("POST", "/c/bank/ZORBLAT", 405), ("GET", "/c/bank/ZORBLAT/signal", 405),
     ("POST", "/dev/factory_reset", 404), ("GET", "/ui/", 404), ("GET", "/c/bank/ZORBLAT%00", 404),
     ("GET", "/c/banks?x=%00", 400)],
)  # fmt: skip
def test_unknown_paths_and_methods_are_json(server: Server, method: str, path: str, status: int) -> None:
    refused(server.ask(method, path), status)


def test_the_conformance_suite_asks_for_every_route_that_this_server_has(server: Server) -> None:
    own = {"/m/lookup/batch", "/openapi", "/openapi/", "/openapi/swagger"}
    wanted = {(method, bare(path)) for method, path in ROUTES}
    assert {bare(path) for path in server.get("/site-map").json} - own == {path for _, path in wanted}
    paths = server.get("/openapi/openapi.json").json["paths"]
    documented = {(method.upper(), bare(path)) for path, methods in paths.items() for method in methods}
    assert documented >= {(method, path) for method, path in wanted if path.startswith(("/h", "/m", "/c"))}


def bare(path: str) -> str:
    """A path without the names of its variables."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_too_large_an_upload(server: Server) -> None:
    refused(server.upload("/h/hash", {"photo": bytes(33 * 1024 * 1024)}), 413)


@pytest.mark.parametrize("text", [b'{"pdq": NaN}', b"\xff", b"{", b"[" * 100_000, b""])
def test_json_that_is_none(server: Server, text: bytes) -> None:
    bank = server.new_bank()
    for path in (f"/c/bank/{bank}/signal", "/m/compare", "/c/banks", "/m/lookup/batch"):
        said = server.ask("POST", path, text, Content_Type="application/json")
        refused(said, 400)


def test_a_batch(server: Server) -> None:
    bank, values = server.new_bank(), [secrets.token_hex(32) for _ in range(5)]
    number = server.banked(bank, pdq=values[2], sha256=values[2])
    server.settled()
    hit = [{"bank_content_id": number, "distance": "0"}]
    found = server.send("POST", "/m/lookup/batch", {"pdq": values, "sha256": values[2:3]}).json
    assert found == {"pdq": [{}, {}, {bank: hit}, {}, {}], "sha256": [{bank: [{**hit[0], "distance": "-"}]}]}
    refused(server.send("POST", "/m/lookup/batch", {"pdq": values * 300}), 413)
    refused(server.send("POST", "/m/lookup/batch", {"pdq": "zorblat"}), 400)


PATHS = [
    "/m/lookup",
    "/m/raw_lookup",
    "/m/index/status",
    "/h/hash",
    "/c/bank/Z/content/1",
    "/c/signal_type/index",
    "/c/banks",
    "/c/exchange/Z",
]
WORDS = st.text(max_size=20) | st.sampled_from(["pdq", "md5", "0" * 64, "true", "-1", "nan", "photo", "http://[", "\0"])
NAMES = [
    "signal_type",
    "signal",
    "banks",
    "seed",
    "bypass_coinflip",
    "url",
    "content_type",
    "types",
    "include_distance",
    "include_signals",
]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PATHS), st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=4))
def test_no_query_is_a_server_fault(server: Server, path: str, query: dict[str, str]) -> None:
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    said = server.get(f"{path}?{text}")
    assert said.status < 500, said.body
    if not path.startswith("/ui"):
        json.loads(said.body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    ["name", "enabled", "enabled_ratio", "pdq", "note", "bank", "api", "api_json", "credential_json", "disable_until_ts"]
)
BODIES = [
    "/c/banks",
    "/c/bank/Z/signal",
    "/c/exchanges",
    "/c/exchanges/api/ncmec",
    "/m/compare",
    "/m/lookup/batch",
    "/c/bank/Z/content",
]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(BODIES), st.dictionaries(MEMBERS, JSON, max_size=4) | JSON)
def test_no_body_is_a_server_fault(server: Server, path: str, document: Any) -> None:
    said = server.send("POST", path, document)
    assert said.status < 500, (document, said.body)
    json.loads(said.body)
