"""Somebody who issues tokens: an authorization server on this machine, small but real enough for the SDK's client."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from jwt.algorithms import ECAlgorithm


class Issuer:
    """Keys, and tokens signed with them.

    Attributes:
        url: where it is, which is also its name.
        keys: by `kid`; what is in here is in the public set.
        reads: how often the set was read.
        resources: for which resources tokens were asked.
    """

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, EllipticCurvePrivateKey] = {"one": generate_private_key(SECP256R1())}
        self.extra: list[dict[str, Any]] = []
        self.status = 200
        self.reads = 0
        self.resources: list[str] = []

    def token(self, user: str = "ada", *, kid: str = "one", **claims: Any) -> str:
        """A token of the usual kind, with other claims where they are given; None leaves one out."""
        usual = {"iss": self.url, "sub": user, "exp": int(time.time()) + 60, "scope": "chat search"} | claims
        said = {name: value for name, value in usual.items() if value is not None}
        return jwt.encode(said, self.keys[kid], algorithm="ES256", headers={"kid": kid})

    def jwks(self) -> dict[str, Any]:
        public = [
            {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return {"keys": [*public, *self.extra]}

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that serves its metadata, its keys and tokens."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/jwks":
                issuer.reads += 1
                self._answer(issuer.jwks(), issuer.status)
            elif self.path == "/.well-known/oauth-authorization-server":
                self._answer(issuer.metadata())
            else:
                self._answer({}, 404)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            [resource] = form.get("resource", [""])
            issuer.resources.append(resource)
            scope = form.get("scope", ["search"])[0]
            token = issuer.token(form["client_id"][0], aud=resource, scope=scope)
            self._answer({"access_token": token, "token_type": "Bearer", "expires_in": 60, "scope": scope})

        def _answer(self, value: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
