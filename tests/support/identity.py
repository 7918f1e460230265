"""A small OpenID Connect provider on loopback that says whatever a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "vigil-console", "a-shared-secret-for-tests-only"


class Provider:
    """``subject`` is who signs in; ``broken`` breaks one of ``state``, ``token``, ``issuer``, ``audience``."""

    def __init__(self) -> None:
        self.subject, self.broken = "person-1", ""
        self.asked: list[dict[str, str]] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"

    def document(self) -> dict[str, object]:
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo", "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }  # fmt: skip

    def token(self) -> dict[str, object]:
        claims = {
            "iss": "http://elsewhere.invalid" if self.broken == "issuer" else self.issuer,
            "aud": "somebody-else" if self.broken == "audience" else CLIENT,
            "sub": self.subject, "exp": 4_000_000_000, "iat": 1_700_000_000,
        }  # fmt: skip
        signed = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "k"})
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": signed}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                if asked.path == "/authorize":
                    return self._redirect({name: values[0] for name, values in parse_qs(asked.query).items()})
                found = {"/.well-known/openid-configuration": provider.document(), "/userinfo": {"sub": provider.subject}}
                return self._say(found.get(asked.path), 200 if asked.path in found else 404)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.asked.append({name: values[0] for name, values in parse_qs(body).items()})
                self._say({"error": "invalid_grant"} if provider.broken == "token" else provider.token(),
                          400 if provider.broken == "token" else 200)  # fmt: skip

            def _redirect(self, asked: dict[str, str]) -> None:
                state = "another" if provider.broken == "state" else asked["state"]
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': 'c', 'state': state})}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _say(self, document: object, status: int) -> None:
                content = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                """Nothing on the screen."""

        return Handler

    @contextmanager
    def running(self) -> Iterator[Provider]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
