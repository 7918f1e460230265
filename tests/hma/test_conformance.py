"""The contract that clients of Hasher-Matcher-Actioner rely on, black-box: nothing here knows that it is Vigil which answers."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from urllib.parse import quote

import pytest
from tests.hma.world import Server, flat, picture, until


def code() -> str:
    return secrets.token_hex(32)


def flipped(value: str, bits: int) -> str:
    return f"{int(value, 16) ^ ((1 << bits) - 1):064x}"


# ---- core


def test_status_and_specification(server: Server) -> None:
    assert server.get("/status").body == b"I-AM-ALIVE" == server.get("/status/live").body
    assert isinstance(server.get("/site-map").json, list)
    assert server.get("/openapi/openapi.json").json["info"]["title"] == "Open Media Match API"
    assert server.get("/").status == 302


def test_options_and_head(server: Server) -> None:
    for path in ("/m/lookup", "/h/hash", "/c/banks", "/c/exchanges"):
        assert server.ask("OPTIONS", path).status == 200
    for path in ("/status", "/c/banks"):
        head = server.ask("HEAD", path)
        assert (head.status, head.body) == (200, b"")


ROUTES = [
    ("GET", "/"), ("GET", "/status"), ("GET", "/status/live"), ("GET", "/site-map"), ("GET", "/openapi/openapi.json"),
    ("GET", "/h/hash"), ("POST", "/h/hash"), ("GET", "/m/lookup"), ("POST", "/m/lookup"), ("GET", "/m/raw_lookup"),
    ("GET", "/m/index/status"), ("POST", "/m/compare"),
    ("GET", "/c/banks"), ("POST", "/c/banks"), ("GET", "/c/bank/{bank}"), ("PUT", "/c/bank/{bank}"), ("DELETE", "/c/bank/{bank}"),
    ("POST", "/c/bank/{bank}/content"), ("POST", "/c/bank/{bank}/signal"), ("GET", "/c/bank/{bank}/content/{id}"),
    ("PUT", "/c/bank/{bank}/content/{id}"), ("DELETE", "/c/bank/{bank}/content/{id}"),
    ("GET", "/c/exchanges"), ("POST", "/c/exchanges"), ("GET", "/c/exchanges/apis"), ("GET", "/c/exchanges/api/{api}"),
    ("POST", "/c/exchanges/api/{api}"), ("GET", "/c/exchanges/api/{api}/schema"), ("GET", "/c/exchange/{name}"),
    ("PUT", "/c/exchange/{name}"), ("DELETE", "/c/exchange/{name}"), ("GET", "/c/exchange/{name}/status"),
    ("GET", "/c/signal_type"), ("PUT", "/c/signal_type/{name}"), ("GET", "/c/signal_type/index"), ("GET", "/c/content_type"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_of_both_doors_is_there(server: Server, method: str, path: str) -> None:
    """With names of nothing and without a body: refused perhaps, but known, and in JSON; with one slash and with two."""
    known = path.format(bank="NO_SUCH_BANK", id=999_999_999, api="ncmec", name="NO_SUCH")
    for asked in (known, "/" + known) if known != "/" else (known,):
        said = server.ask(method, asked)
        assert said.status not in (405, 501) and said.status < 500, (said.status, said.body)
        assert said.status != 404 or "{" in path, "a name may be unknown, a path may not"
        if path.startswith(("/h/", "/m/", "/c/")):
            assert said.json is not None


# ---- banks


def test_a_bank_is_made_changed_and_deleted(server: Server) -> None:
    name = f"QUIMBER_{uuid.uuid4().hex.upper()}"
    made = server.send("POST", "/c/banks", {"name": name})
    assert (made.status, made.json) == (201, {"name": name, "matching_enabled_ratio": 1.0})
    assert server.send("POST", "/c/banks", {"name": name}).status == 403
    assert server.get(f"/c/bank/{name}").json == made.json
    assert made.json in server.get("/c/banks").json
    assert server.send("PUT", f"/c/bank/{name}", {"enabled_ratio": 0.25}).json["matching_enabled_ratio"] == 0.25
    assert server.send("PUT", f"/c/bank/{name}", {}).json["matching_enabled_ratio"] == 0.25
    assert server.send("PUT", f"/c/bank/{name}", {"enabled": False}).json["matching_enabled_ratio"] == 0
    renamed = server.send("PUT", f"/c/bank/{name}", {"name": f"{name}_2"})
    assert (renamed.status, renamed.json["name"]) == (200, f"{name}_2")
    assert server.get(f"/c/bank/{name}").status == 404
    for _ in range(2):
        assert server.ask("DELETE", f"/c/bank/{name}_2").status == 200
    assert server.get(f"/c/bank/{name}_2").status == 404


@pytest.mark.parametrize("name", ["", "zorblat", "1ZORBLAT", "ZOR BLAT", "ZORBLAT\n", "ZÖRBLAT"])
def test_names_of_banks(server: Server, name: str) -> None:
    assert server.send("POST", "/c/banks", {"name": name}).status == 400


def test_ratios_may_be_text(server: Server) -> None:
    bank = server.new_bank(enabled_ratio="0.5")
    assert server.get(f"/c/bank/{bank}").json["matching_enabled_ratio"] == 0.5


def test_a_body_of_another_shape_is_422(server: Server) -> None:
    assert server.send("POST", "/c/banks", {}).status == 422
    assert server.send("POST", "/c/banks", {"name": "ZORBLAT", "enabled_ratio": "much"}).status == 422


def test_an_absent_bank_is_404_with_a_json_body(server: Server) -> None:
    said = server.get("/c/bank/NO_SUCH_BANK")
    assert said.status == 404 and "message" in said.json
    assert server.send("POST", "/c/bank/NO_SUCH_BANK/signal", {"pdq": code()}).status == 404
    assert server.ask("DELETE", "/c/bank/NO_SUCH_BANK/content/1").status == 404


# ---- content


def test_one_banked_hash_matches(server: Server) -> None:
    """The fault that loses a single entry: one hash in one bank, asked for exactly."""
    bank, value = server.new_bank(), code()
    number = server.banked(bank, pdq=value)
    server.settled()
    assert server.lookup("pdq", value) == {bank: [{"bank_content_id": number, "distance": "0"}]}


@pytest.mark.parametrize("copies", [2, 3, 4, 8])
def test_equal_hashes_all_match(server: Server, copies: int) -> None:
    bank, value = server.new_bank(), code()
    numbers = {server.banked(bank, pdq=value) for _ in range(copies)}
    assert len(numbers) == copies
    server.settled()
    assert {match["bank_content_id"] for match in server.lookup("pdq", value)[bank]} == numbers


def test_distances(server: Server) -> None:
    bank, value = server.new_bank(), code()
    number = server.banked(bank, pdq=value)
    server.settled()
    for bits in (0, 1, 30, 31):
        assert server.lookup("pdq", flipped(value, bits))[bank] == [{"bank_content_id": number, "distance": str(bits)}]
    assert server.lookup("pdq", flipped(value, 32)) == {}


def test_exact_types_match_whatever_their_case(server: Server) -> None:
    bank = server.new_bank()
    value = secrets.token_hex(16)
    number = server.banked(bank, video_md5=value.upper())
    server.settled()
    assert server.lookup("video_md5", value) == {bank: [{"bank_content_id": number, "distance": "-"}]}


def test_several_types_make_one_content(server: Server) -> None:
    bank, near, exact = server.new_bank(), code(), secrets.token_hex(16)
    made = server.send("POST", f"/c/bank/{bank}/signal", {"pdq": near, "video_md5": exact, "note": "zorblat"})
    assert made.json["signals"] == {"pdq": near, "video_md5": exact}
    shown = server.get(f"/c/bank/{bank}/content/{made.json['id']}?include_signals=true").json
    assert shown == {
        "bank": {"name": bank, "matching_enabled_ratio": 1.0}, "disable_until_ts": 1, "id": made.json["id"],
        "original_media_uri": None, "signals": made.json["signals"], "note": "zorblat",
    }  # fmt: skip
    assert "signals" not in server.get(f"/c/bank/{bank}/content/{made.json['id']}").json


@pytest.mark.parametrize(
    "document",
    [{}, {"zorblat": "1"}, {"pdq": "zz"}, {"pdq": 7}, {"pdq": code()[:-1]}, {"metadata": {}}, {"pdq": code(), "note": 7},
     {"pdq": code(), "note": "z" * 256}],
)  # fmt: skip
def test_signals_that_cannot_be_banked(server: Server, document: dict[str, object]) -> None:
    assert server.send("POST", f"/c/bank/{server.new_bank()}/signal", document).status == 400


def test_another_kind_of_body(server: Server) -> None:
    bank = server.new_bank()
    assert server.ask("POST", f"/c/bank/{bank}/signal", b"{}", Content_Type="text/plain").status == 415
    assert server.ask("POST", f"/c/bank/{bank}/signal", b"{", Content_Type="application/json").status == 400


def test_switching_off_and_on_acts_on_lookups(server: Server) -> None:
    bank, value = server.new_bank(), code()
    number = server.banked(bank, pdq=value)
    place = f"/c/bank/{bank}/content/{number}"
    server.settled()
    for until_ts, matches in ((0, False), (1, True), (4_000_000_000 // 2, False), ("1", True)):
        said = server.send("PUT", place, {"disable_until_ts": until_ts})
        if said.status == 400:  # further away than five years
            continue
        assert said.json["disable_until_ts"] == int(until_ts)
        until(lambda wanted=matches: (bank in server.lookup("pdq", value)) is wanted)
    assert server.send("PUT", place, {"note": "quimber"}).json["note"] == "quimber"
    assert server.send("PUT", place, {"note": ""}).json["note"] is None
    for wrong in ({"disable_until_ts": -1}, {"disable_until_ts": "soon"}, {"disable_until_ts": 10**12}, {"note": 7}):
        assert server.send("PUT", place, wrong).status == 400


def test_deleting_deletes(server: Server) -> None:
    bank, value = server.new_bank(), code()
    number = server.banked(bank, pdq=value)
    server.settled()
    place = f"/c/bank/{bank}/content/{number}"
    assert server.ask("DELETE", place).json == {"deleted": 1}
    assert server.ask("DELETE", place).json == {"deleted": 0}
    assert server.get(place).status == 404
    until(lambda: server.lookup("pdq", value) == {})
    assert server.banked(bank, pdq=value) != number


def test_deleting_a_bank_deletes_what_it_held(server: Server) -> None:
    bank, value = server.new_bank(), code()
    server.banked(bank, pdq=value)
    server.settled()
    server.ask("DELETE", f"/c/bank/{bank}")
    until(lambda: server.lookup("pdq", value) == {})


@pytest.mark.parametrize("number", ["abc", "-1", "999999999"])
def test_no_such_content(server: Server, number: str) -> None:
    assert server.get(f"/c/bank/{server.new_bank()}/content/{number}").status == 404


def test_an_uploaded_picture_is_banked_and_found(server: Server) -> None:
    bank, data = server.new_bank(), picture(11)
    made = server.upload(
        f"/c/bank/{bank}/content", {"photo": data}, {"note": "zorblat", "metadata": '{"content_id": "17", "json": {"a": 1}}'}
    )
    assert made.status == 200 and len(made.json["signals"]["pdq"]) == 64
    shown = server.get(f"/c/bank/{bank}/content/{made.json['id']}").json
    assert shown["metadata"] == {"content_id": "17", "content_uri": None, "json": {"a": 1}, "collab": None}
    assert "metadata" not in server.get(f"/c/bank/{bank}/content/{made.json['id']}?include_metadata=false").json
    server.settled()
    found = server.upload("/m/lookup", {"photo": data})
    assert found.json["pdq"][bank] == [{"bank_content_id": made.json["id"], "distance": "0"}]
    assert server.upload(f"/c/bank/{bank}/content", {"photo": data}, {"metadata": '{"zorblat": 1}'}).status == 400
    assert server.upload(f"/c/bank/{bank}/content", {}, {"note": "x"}).status == 400


def test_content_by_address(server: Server, media: str) -> None:
    bank = server.new_bank()
    made = server.send("POST", f"/c/bank/{bank}/content?url={quote(media + '/picture')}&content_type=photo", {"note": "zorblat"})
    assert made.status == 200, made.body
    assert server.get(f"/c/bank/{bank}/content/{made.json['id']}").json["note"] == "zorblat"


# ---- hashing


def test_hashing_a_file_and_an_address_agree(server: Server, media: str) -> None:
    by_file = server.upload("/h/hash", {"photo": picture(7)})
    by_address = server.get(f"/h/hash?url={quote(media + '/picture')}")
    assert by_file.status == by_address.status == 200
    assert by_file.json == by_address.json
    assert len(by_file.json["pdq"]) == 64
    assert server.upload("/h/hash?types=pdq", {"photo": picture(7)}).json == {"pdq": by_file.json["pdq"]}


def test_every_key_of_hashing_can_be_looked_up(server: Server) -> None:
    for kind, value in server.upload("/h/hash", {"photo": picture(8)}).json.items():
        assert server.get(f"/m/lookup?signal_type={kind}&signal={value}").status == 200


def test_hashing_a_video_file(server: Server) -> None:
    data = b"\0\0\0\x18ftypmp42" + bytes(100)
    found = server.upload("/h/hash", {"video": data}).json
    assert found["video_md5"] == hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 422), ("?url=zorblat", 400), ("?url={media}/absent", 400), ("?url={media}/text", 400),
     ("?url={media}/picture&content_type=zorblat", 400), ("?url={media}/picture&types=zorblat", 400),
     ("?url={media}/picture&types=video_md5", 400)],
)  # fmt: skip
def test_addresses_that_cannot_be_hashed(server: Server, media: str, query: str, status: int) -> None:
    assert server.get("/h/hash" + query.format(media=media)).status == status


def test_uploads_that_cannot_be_hashed(server: Server) -> None:
    assert server.upload("/h/hash", {}).status == 400
    assert server.upload("/h/hash", {"zorblat": picture(1)}).status == 400
    assert server.upload("/h/hash", {"photo": picture(1), "video": picture(1)}).status == 400
    assert server.upload("/h/hash?types=zorblat", {"photo": picture(1)}).status == 400


# ---- matching


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("?signal_type=pdq", 400), ("?signal_type=pdq&signal=", 400), ("?signal_type=zorblat&signal=1", 400),
     ("?signal_type=pdq&signal=zz", 400), ("?signal_type=pdq&signal={code}&bypass_coinflip=perhaps", 422)],
)  # fmt: skip
def test_lookups_that_cannot_be_answered(server: Server, query: str, status: int) -> None:
    assert server.get("/m/lookup" + query.format(code=code())).status == status


def test_banks_narrow_a_lookup(server: Server) -> None:
    one, other, value = server.new_bank(), server.new_bank(), code()
    for bank in (one, other):
        server.banked(bank, pdq=value)
    server.settled()
    assert set(server.lookup("pdq", value)) == {one, other}
    assert set(server.lookup("pdq", value, f"&banks={one}")) == {one}
    assert server.lookup("pdq", value, "&banks=NO_SUCH_BANK") == {}
    assert set(server.lookup("pdq", value, "&banks=")) == {one, other}


def test_ratios_draw_by_seed(server: Server) -> None:
    """``seed`` is the text with which Python's generator is seeded; its first value is the draw."""
    import random

    bank, value = server.new_bank(enabled_ratio=0.5), code()
    server.banked(bank, pdq=value)
    server.settled()
    for seed in map(str, range(8)):
        wanted = random.Random(seed).random() <= 0.5
        assert (bank in server.lookup("pdq", value, f"&seed={seed}")) is wanted
    never = server.new_bank(enabled_ratio=0)
    server.banked(never, pdq=value)
    server.settled()
    assert never not in server.lookup("pdq", value)


def test_raw_lookup(server: Server) -> None:
    bank, value = server.new_bank(), code()
    number = server.banked(bank, pdq=value)
    server.settled()
    ask = f"/m/raw_lookup?signal_type=pdq&signal={flipped(value, 3)}"
    assert server.get(ask).json == {"matches": [number]}
    assert server.get(ask + "&include_distance=true").json == {"matches": [{"bank_content_id": number, "distance": "3"}]}
    assert server.get(ask + "&banks=NO_SUCH_BANK").json == {"matches": []}
    assert server.get("/m/raw_lookup?signal_type=pdq").status == 422
    server.send("PUT", f"/c/bank/{bank}/content/{number}", {"disable_until_ts": 0})
    until(lambda: server.lookup("pdq", value) == {})
    assert server.get(ask).json == {"matches": [number]}


def test_index_status(server: Server) -> None:
    server.banked(server.new_bank(), pdq=code())
    server.settled()
    status = server.get("/m/index/status?signal_type=pdq").json
    assert list(status) == ["pdq"] and status["pdq"]["present"] and status["pdq"]["size"] >= 1
    assert status["pdq"]["built_to"] > 1_700_000_000
    assert server.get("/m/index/status?signal_type=zorblat").status == 400
    index = server.get("/c/signal_type/index?signal_type=pdq").json["pdq"]
    assert index["db_size"] == index["index_size"] >= 1


def test_compare(server: Server) -> None:
    value = code()
    near = server.send("POST", "/m/compare", {"pdq": [value, flipped(value, 9)]})
    assert near.json == {"pdq": [True, {"distance": 9}]}
    assert server.send("POST", "/m/compare", {"pdq": [value, flipped(value, 40)]}).json["pdq"][0] is False
    assert server.send("POST", "/m/compare", {}).json == {}
    for wrong in ({"pdq": [value]}, {"pdq": value}, {"zorblat": ["1", "2"]}, {"pdq": ["zz", value]}, [value]):
        assert server.send("POST", "/m/compare", wrong).status == 400


def test_a_lookup_by_address(server: Server, media: str) -> None:
    bank = server.new_bank()
    number = server.upload(f"/c/bank/{bank}/content", {"photo": picture(7)}).json["id"]
    server.settled()
    address = quote(media + "/picture")
    assert {"bank_content_id": number, "distance": "0"} in server.get(f"/m/lookup?url={address}").json["pdq"][bank]
    assert {"bank_content_id": number, "distance": "0"} in server.get(f"/m/lookup?url={address}&signal_type=pdq").json[bank]


# ---- exchanges and types


def test_exchanges(server: Server) -> None:
    kinds = server.get("/c/exchanges/apis").json
    assert "ncmec" in kinds
    assert set(server.get("/c/exchanges/api/ncmec").json) == {"supports_authentification", "has_set_authentification"}
    assert server.get("/c/exchanges/api/zorblat").status == 400
    assert server.get("/c/exchanges/api/zorblat/schema").status == 404
    schema = server.get("/c/exchanges/api/ncmec/schema").json
    members = {"name", "type", "required", "default", "help", "choices"}
    assert all(set(each) == members for part in schema.values() for each in part["fields"])
    assert server.get("/c/exchange/NO_SUCH").status == 404 and server.get("/c/exchange/NO_SUCH").json


def test_the_life_of_an_exchange(server: Server) -> None:
    """Made of the fields that its schema asks for, as a client without a copy of it would do."""
    name = f"QUIMBER_{uuid.uuid4().hex.upper()}"
    place = "/c/exchanges/api/ncmec"
    examples = {"enum": lambda field: field["choices"][0], "string": lambda field: "https://feeds.example/v2"}
    fields = server.get(f"{place}/schema").json["config_schema"]["fields"]
    wanted = {field["name"]: examples[field["type"]](field) for field in fields if field["required"]}
    said = server.send("POST", place, {"credential_json": {"user": "zorblat", "password": "quimber"}})
    assert said.json == server.get(place).json == {"supports_authentification": True, "has_set_authentification": True}
    try:
        made = server.send("POST", "/c/exchanges", {"bank": name, "api": "ncmec", "api_json": {**wanted, "enabled": False}})
        assert made.status == 201 and "message" in made.json
        assert name in server.get("/c/exchanges").json and server.get(f"/c/bank/{name}").status == 200
        shown = server.get(f"/c/exchange/{name}").json
        assert (shown["name"], shown["api"], shown["enabled"]) == (name, "ncmec", False)
        assert {*wanted} <= {*shown} and "quimber" not in str(shown)
        status = server.get(f"/c/exchange/{name}/status").json
        assert {"checkpoint_ts", "running_fetch_start_ts", "last_fetch_complete_ts", "up_to_date", "fetched_items"} <= {*status}
        assert status["last_fetch_succeeded"] is None and status["fetched_items"] == 0
        assert server.send("PUT", f"/c/exchange/{name}", {}).status == 200
        assert server.ask("DELETE", f"/c/exchange/{name}").json == {"message": "Exchange deleted"}
        assert server.get(f"/c/exchange/{name}").status == server.get(f"/c/bank/{name}").status == 404
        assert name not in server.get("/c/exchanges").json
    finally:
        server.send("POST", place, {"credential_json": {}})
    assert server.get(place).json["has_set_authentification"] is False


def test_signal_and_content_types(server: Server) -> None:
    assert {"name": "pdq", "enabled_ratio": 1.0} in server.get("/c/signal_type").json
    assert {"name": "photo", "enabled": True} in server.get("/c/content_type").json


# ---- how clients write addresses


def test_two_slashes_in_front_are_taken_as_one(server: Server) -> None:
    assert server.get("//c/banks").status == 200
    assert server.get("//m/index/status").status == 200


def test_a_slash_at_the_end_is_not_taken(server: Server) -> None:
    assert server.get("/c/banks/").status == 404


def test_a_flat_picture_is_no_error_when_hashed(server: Server) -> None:
    said = server.upload("/h/hash", {"photo": flat()})
    assert said.status == 200 and not said.json.get("pdq")
