"""Signing keys that never lie in a file: in a PKCS#11 device (SoftHSM), and in a key service (on loopback, with real keys)."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pkcs11
import pytest
from pkcs11.util.ec import encode_named_curve_parameters
from securesystemslib.signer import AWSSigner, HSMSigner
from tests.delivery.kms import KeyService, served
from tests.editions.world import Hotline, client
from tests.lab.peers import program

from vigil.base.errors import RefusedError, VigilError
from vigil.editions.ceremony import Elsewhere, rotate_keys
from vigil.editions.client import EditionClient
from vigil.editions.keys import KeyRing
from vigil.editions.publish import current_number
from vigil.editions.verify import verify

LIBRARY: Final = "/usr/lib/softhsm/libsofthsm2.so"
LABEL: Final = "zorblat"
PIN: Final = "246810"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token of SoftHSM with one key that cannot leave it."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    (folder / "softhsm2.conf").write_text(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        patch.setenv("PYKCS11LIB", LIBRARY)
        made = [program("softhsm2-util"), "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN]
        subprocess.run(made, check=True, capture_output=True)
        with pkcs11.lib(LIBRARY).get_token(token_label=LABEL).open(rw=True, user_pin=PIN) as session:
            curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
            parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
            parameters.generate_keypair(store=True, id=b"\x02", label="vigil")
        yield


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyService]:
    """A key service that answers as AWS's does, asked by the same client as AWS's."""
    made = KeyService()
    with served(made) as address:
        for name, value in (
            ("AWS_ENDPOINT_URL", address),
            ("AWS_ACCESS_KEY_ID", "made-up"),
            ("AWS_SECRET_ACCESS_KEY", "made-up"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ):
            monkeypatch.setenv(name, value)
        yield made


def moves(hotline: Hotline, role: str, public: Any, uri: str, pin: str | None) -> list[Path]:
    """A ceremony that gives ``role`` the key kept elsewhere."""
    roots = sorted((hotline.keys_folder / "offline").glob("root-*.pem"))[:2]
    elsewhere = Elsewhere(public.keyval["public"].encode(), uri)
    change = rotate_keys(hotline.keys_folder, [role], roots, hotline.now, elsewhere)
    [file] = [path for path in change.written if path.suffix == ".uri"]
    if pin is not None:
        descriptor = os.open(file.with_suffix(".pin"), os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(pin)
    hotline.keys = KeyRing.load(hotline.keys_folder)
    return [path for path in hotline.keys_folder.iterdir() if path.name.startswith(role) and path.suffix == ".pem"]


@pytest.mark.parametrize("role", ["release", "timestamp"])
def test_a_pkcs11_device_signs_editions(token: None, hotline: Hotline, state: Path, role: str) -> None:
    hotline.publish()
    uri, public = HSMSigner.import_(2, LABEL, lambda _: PIN)
    assert moves(hotline, role, public, uri, PIN) == []
    assert hotline.publish() == 2
    report = verify(hotline.repository, root=hotline.keys.roots[0], now=hotline.now)
    assert report.problems == ()
    assert client(hotline.repository, hotline, state).pull(hotline.now).number == 2


def test_a_wrong_pin_is_an_error_that_names_the_key_and_publishes_nothing(token: None, hotline: Hotline) -> None:
    hotline.publish()
    uri, public = HSMSigner.import_(2, LABEL, lambda _: PIN)
    moves(hotline, "timestamp", public, uri, "135791")
    before = sorted(path.name for path in hotline.repository.rglob("*.json"))
    with pytest.raises(VigilError) as found:
        hotline.publish()
    assert found.value.code == "signer_failed"
    assert PIN not in str(found.value) and "135791" not in str(found.value)
    assert (hotline.repository / "metadata" / "timestamp.json").exists()
    assert set(before) <= {path.name for path in hotline.repository.rglob("*.json")}


@pytest.mark.parametrize("role", ["release", "timestamp"])
def test_a_key_service_signs_editions_and_is_handed_digests_only(
    service: KeyService, hotline: Hotline, state: Path, role: str
) -> None:
    hotline.publish()
    uri, public = AWSSigner.import_(service.create("zorblat"))
    assert uri == "awskms:zorblat"
    assert moves(hotline, role, public, uri, None) == []
    assert hotline.publish() == 2
    report = verify(hotline.repository, root=hotline.keys.roots[0], now=hotline.now)
    assert report.problems == () and report.ok
    assert EditionClient(str(hotline.repository), state, hotline.keys.roots[0]).pull(hotline.now).number == 2
    signed = [asked for act, asked in service.asked if act == "Sign"]
    assert signed and all(len(base64.b64decode(each["Message"])) == 32 for each in signed)


def test_a_key_service_that_refuses_is_an_error_that_names_the_role_and_publishes_nothing(
    service: KeyService, hotline: Hotline, state: Path
) -> None:
    hotline.publish()
    uri, public = AWSSigner.import_(service.create("zorblat"))
    moves(hotline, "release", public, uri, None)
    service.disabled.add("zorblat")
    with pytest.raises(VigilError) as found:
        hotline.publish()
    assert found.value.code == "signer_failed"
    assert current_number(hotline.repository) == 1


def test_a_key_service_that_signs_with_another_key_brings_nothing_into_force(service: KeyService, hotline: Hotline) -> None:
    hotline.publish()
    uri, public = AWSSigner.import_(service.create("zorblat"))
    moves(hotline, "release", public, uri, None)
    service.create("zorblat")
    with pytest.raises(RefusedError) as refused:
        hotline.publish()
    assert refused.value.code == "release_missing"
    assert current_number(hotline.repository) == 1
