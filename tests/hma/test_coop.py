"""What ROOST Coop does, call by call, in its own way of writing them: no token, two slashes, ratios as text, fields it reads."""

from __future__ import annotations

import json
import secrets
from urllib.parse import quote

from tests.hma.world import Server, until


def test_what_coop_does_from_a_new_bank_to_a_match(server: Server, media: str) -> None:
    """Its 14 pairs of method and path, in the order of a bank's life. Its base address ends in a slash."""
    name = f"COOP_ORG_{secrets.token_hex(6).upper()}"
    exchange = f"COOP_NCMEC_{secrets.token_hex(6).upper()}"
    made = server.send("POST", "//c/banks", {"name": name, "enabled_ratio": "1"})
    assert 200 <= made.status < 300 and made.json
    assert server.send("PUT", f"//c/bank/{name}", {"enabled_ratio": 1}).json
    assert server.get(f"//c/bank/{name}").status == 200

    assert all(isinstance(kind, str) for kind in server.get("//c/exchanges/apis").json)
    assert (
        server.send("POST", "//c/exchanges/api/ncmec", {"credential_json": {"user": "zorblat", "password": "quimber"}}).status
        < 300
    )
    support = server.get("//c/exchanges/api/ncmec").json
    assert support["supports_authentification"] and support["has_set_authentification"]
    schema = server.get("//c/exchanges/api/ncmec/schema").json
    fields = {field["name"]: "https://feeds.example/v2" for field in schema["config_schema"]["fields"] if field["required"]}
    assert server.send("POST", "//c/exchanges", {"bank": exchange, "api": "ncmec", "api_json": fields}).status < 300
    assert server.send("PUT", f"//c/bank/{exchange}", {"enabled_ratio": 0.5}).status < 300
    shown = server.get(f"//c/exchange/{exchange}").json
    assert (shown["api"], shown["enabled"]) == ("ncmec", True)
    absent = server.get(f"//c/exchange/{name}")
    assert absent.status == 404 and json.loads(absent.body)
    status = server.get(f"//c/exchange/{exchange}/status").json
    assert {"last_fetch_succeeded", "last_fetch_complete_ts", "up_to_date", "fetched_items", "running_fetch_start_ts"} <= set(
        status
    )

    added = server.ask("POST", f"//c/bank/{name}/content?url={quote(media + '/picture')}&content_type=photo")
    assert added.status == 200 and added.json["id"] and added.json["signals"]
    server.settled()
    hashes = server.get(f"//h/hash?url={quote(media + '/picture')}").json
    assert hashes and all(isinstance(value, str) and value for value in hashes.values())
    for kind, value in hashes.items():
        matched = server.get(f"//m/lookup?signal_type={kind}&signal={quote(value)}")
        assert matched.status == 200 and matched.json[name], kind

    for bank in (name, exchange):
        assert server.ask("DELETE", f"//c/bank/{bank}").status == 200
        assert server.get(f"//c/bank/{bank}").status == 404
    until(lambda: name not in server.lookup("pdq", hashes["pdq"]))
    server.send("POST", "//c/exchanges/api/ncmec", {"credential_json": {}})
