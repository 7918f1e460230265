"""A key service on loopback that answers as AWS's key management service is documented to, with real keys that never leave it.

Two acts of it are here, as JSON 1.1 over HTTP: ``GetPublicKey`` and ``Sign`` of a digest with ECDSA on P-256.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = "ECDSA_SHA_256"


class KeyService:
    """``keys`` by identifier; ``disabled`` those that may not sign; ``asked`` what was asked for, in order."""

    def __init__(self) -> None:
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.disabled: set[str] = set()
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def create(self, name: str) -> str:
        self.keys[name] = ec.generate_private_key(ec.SECP256R1())
        return name

    def answer(self, act: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append((act, asked))
        key = self.keys.get(asked["KeyId"])
        if key is None:
            return 400, {"__type": "NotFoundException", "message": "no such key"}
        if act == "GetPublicKey":
            public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            told = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": [ALGORITHM]}
            return 200, {"KeyId": asked["KeyId"], "PublicKey": base64.b64encode(public).decode(), **told}
        if asked["KeyId"] in self.disabled:
            return 400, {"__type": "DisabledException", "message": "disabled"}
        digest = base64.b64decode(asked["Message"])
        if act != "Sign" or asked.get("MessageType") != "DIGEST" or asked["SigningAlgorithm"] != ALGORITHM or len(digest) != 32:
            return 400, {"__type": "ValidationException", "message": "not what this service does"}
        signature = key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        made = {"Signature": base64.b64encode(signature).decode(), "SigningAlgorithm": ALGORITHM}
        return 200, {"KeyId": asked["KeyId"], **made}


@contextmanager
def served(service: KeyService) -> Iterator[str]:
    """The address of the service while it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            act = self.headers["X-Amz-Target"].removeprefix("TrentService.")
            status, answer = service.answer(act, json.loads(body))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
