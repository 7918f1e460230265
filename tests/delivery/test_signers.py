"""Signing keys that never lie in a file: in a PKCS#11 device (SoftHSM), and in a cloud's key service (moto's own server)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pkcs11
import pytest
from moto.server import ThreadedMotoServer
from pkcs11.util.ec import encode_named_curve_parameters
from securesystemslib.signer import AWSSigner, HSMSigner
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


@pytest.fixture(scope="module")
def service() -> Iterator[None]:
    """A key service that answers as AWS's does."""
    served = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    served.start()
    _, port = served.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}"),
            ("AWS_ACCESS_KEY_ID", "made-up"),
            ("AWS_SECRET_ACCESS_KEY", "made-up"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            patch.setenv(name, value)
        yield
    served.stop()


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


def test_a_key_service_is_asked_and_what_it_signs_is_checked_before_anything_is_published(
    service: None, hotline: Hotline, state: Path
) -> None:
    """The stand-in of the service signs the digest of a digest: its signatures do not hold, and nothing comes into force.

    One that signs as the real service is documented to does brings the edition into force.
    """
    hotline.publish()
    made = boto3.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    uri, public = AWSSigner.import_(made["KeyMetadata"]["KeyId"])
    assert uri.startswith("awskms:")
    assert moves(hotline, "release", public, uri, None) == []
    try:
        hotline.publish()
    except RefusedError as refused:
        assert refused.code == "release_missing"
    number = EditionClient(str(hotline.repository), state, hotline.keys.roots[0]).pull(hotline.now).number
    assert number == current_number(hotline.repository)
    assert verify(hotline.repository, root=hotline.keys.roots[0], now=hotline.now).ok
