"""Values that a database, a seal or a number cannot hold: a 4xx at every curation route, on either database."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
import pytest
from django.conf import settings as django_settings
from tests.hotline.banks.test_banks import policy

from vigil.base.clock import FixedClock
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.banks.machines import do_enrol_machine
from vigil.hotline.banks.models import BankContent, BankPolicy, Exchange, ExchangeCredentials, MachineRole
from vigil.hotline.settings.config import Banks

pytestmark = pytest.mark.django_db
__all__ = ["policy"]
PDQ = secrets.token_hex(32)
EXCHANGE = '{"bank": "SNARP", "api": "fb_threatexchange", "api_json": %s}'
NOTHING_IN_TEXT = ("\\ud800", "a\\u0000b", "\\udfff\\ud800")
FORM = (
    '--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\nnonsense\r\n'
    '--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n%s\r\n--x--\r\n'
)


class Curator:
    """A client with a token, at a door where banks are switched on."""

    def __init__(self, client: Any) -> None:
        self._client = client
        _, token = do_enrol_machine(OPERATOR, "coop", MachineRole.CURATOR)
        self._headers = {"Authorization": f"Bearer {token}"}

    def send(self, method: str, path: str, body: str | bytes = b"", kind: str = "application/json", **more: Any) -> Any:
        data = body.encode() if isinstance(body, str) else body
        return self._client.generic(method, path, data, kind, headers=self._headers, **more)


@pytest.fixture
def curator(policy: BankPolicy, partner_client: Any, clock: FixedClock) -> Curator:
    partner_client.overrides["CONFIG"] = msgspec.structs.replace(django_settings.CONFIG, banks=Banks())
    made = Curator(partner_client)
    assert made.send("POST", "/c/banks", '{"name": "ZORBLAT"}').status_code == 201
    return made


def refused(answer: Any, *statuses: int) -> None:
    assert answer.status_code in (statuses or (400, 422)), answer.content
    assert set(answer.json()) >= {"message", "code"}


@pytest.mark.parametrize("text", NOTHING_IN_TEXT[::2])
def test_texts_that_are_no_unicode(curator: Curator, text: str) -> None:
    content = curator.send("POST", "/c/bank/ZORBLAT/signal", f'{{"pdq": "{PDQ}"}}').json()["id"]
    before = AuditEvent.objects.count()
    refused(curator.send("POST", "/c/bank/ZORBLAT/signal", f'{{"pdq": "{PDQ}", "note": "{text}"}}'))
    refused(curator.send("PUT", f"/c/bank/ZORBLAT/content/{content}", f'{{"note": "{text}"}}'))
    refused(curator.send("POST", "/c/exchanges/api/ncmec", f'{{"credential_json": {{"user": "{text}", "password": "x"}}}}'))
    assert AuditEvent.objects.count() == before
    assert (BankContent.objects.count(), ExchangeCredentials.objects.count()) == (1, 0)


@pytest.mark.parametrize("text", NOTHING_IN_TEXT)
def test_addresses_of_exchanges_are_texts(curator: Curator, text: str) -> None:
    refused(curator.send("POST", "/c/exchanges", EXCHANGE % f'{{"base_url": "http://127.0.0.1:1/{text}", "privacy_group": 1}}'))
    refused(curator.send("POST", "/c/exchanges", f'{{"bank": "{text}", "api": "ncmec", "api_json": {{}}}}'))
    refused(curator.send("POST", "/c/banks", f'{{"name": "{text}"}}'))
    assert not Exchange.objects.exists()


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 5000])
def test_numbers_that_are_none(curator: Curator, number: str) -> None:
    settings = f'{{"base_url": "http://127.0.0.1:1", "privacy_group": {number}}}'
    refused(curator.send("POST", "/c/exchanges", EXCHANGE % settings))
    refused(curator.send("POST", "/c/banks", f'{{"name": "SNARP", "enabled_ratio": {number}}}'))
    refused(curator.send("PUT", "/c/signal_type/pdq", f'{{"enabled_ratio": {number}}}'))
    form = FORM % f'{{"json": {{"a": {number}}}}}'
    refused(curator.send("POST", "/c/bank/ZORBLAT/content", form, "multipart/form-data; boundary=x"))
    assert not Exchange.objects.exists()


def test_numbers_beyond_a_column(curator: Curator) -> None:
    large = "9" * 400
    answer = curator.send("POST", "/c/exchanges", EXCHANGE % f'{{"base_url": "http://127.0.0.1:1", "privacy_group": {large}}}')
    refused(answer)
    for method, body in (("GET", ""), ("PUT", "{}")):
        refused(curator.send(method, f"/c/bank/ZORBLAT/content/{large}", body), 404)
    assert curator.send("DELETE", f"/c/bank/ZORBLAT/content/{large}").json() == {"deleted": 0}


@pytest.mark.parametrize("name", ["%ED%A0%80", "%F0%9F%92%A9", "A" * 300])
def test_names_in_addresses(curator: Curator, name: str) -> None:
    for path in ("/c/bank/{}", "/c/bank/{}/content/1", "/c/exchange/{}", "/c/exchange/{}/status", "/c/exchanges/api/{}/schema"):
        refused(curator.send("GET", path.format(name)), 400, 404)
    refused(curator.send("GET", f"/c/exchanges/api/{name}"), 400, 404)
    refused(curator.send("PUT", f"/c/bank/{name}", '{"enabled_ratio": 0.5}'), 400, 404)
    refused(curator.send("PUT", f"/c/exchange/{name}", '{"enabled": false}'), 400, 404)
    refused(curator.send("PUT", f"/c/signal_type/{name}", '{"enabled_ratio": 0.5}'), 400, 404)
    refused(curator.send("POST", f"/c/bank/{name}/signal", f'{{"pdq": "{PDQ}"}}'), 400, 404)
    for path in (f"/c/bank/{name}", f"/c/exchange/{name}", f"/c/bank/{name}/content/1"):
        assert curator.send("DELETE", path).status_code < 500


@pytest.mark.parametrize("name", ["%00", "Z%00"])
def test_nul_in_names(curator: Curator, name: str) -> None:
    """Refused before a route is looked for (tests/hotline/test_hostile_addresses.py)."""
    for path in (f"/c/bank/{name}", f"/c/bank/{name}/content/1", f"/c/exchange/{name}", f"/c/exchanges/api/{name}"):
        for method in ("GET", "PUT", "POST", "DELETE"):
            answer = curator.send(method, path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_depth_and_lengths(curator: Curator) -> None:
    deep = "[" * 200_000
    for method, path in (("POST", "/c/banks"), ("POST", "/c/bank/ZORBLAT/signal"), ("POST", "/c/exchanges")):
        refused(curator.send(method, path, deep))
        refused(curator.send(method, path, "{}", CONTENT_LENGTH="²"))
        refused(curator.send(method, path, "{}", CONTENT_LENGTH="9" * 5000), 400, 413)
        refused(curator.send(method, path, "{}", CONTENT_LENGTH="9" * 30), 413)
