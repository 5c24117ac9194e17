"""A small HTTP server that speaks the five endpoints of Vault which Redan uses; no Vault is installed where we test.

Transit is real AES-256-GCM here, with associated data, so that a wrong context or key is refused as Vault refuses it.
"""

from __future__ import annotations

import json
import secrets
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "s.token-of-the-test"


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class FakeVault:
    """What the server knows."""

    def __init__(self) -> None:
        self.keys: dict[str, list[bytes]] = {"redan": [secrets.token_bytes(32)]}
        self.secrets: dict[str, dict[str, str]] = {}
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply({})

            def do_POST(self) -> None:
                self.reply(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"))

            do_PUT = do_POST

            def reply(self, body: dict[str, Any]) -> None:
                try:
                    if self.headers.get("X-Vault-Token") != TOKEN:
                        raise Refused(403, "permission denied")
                    status, answer = 200, {"data": vault.answer(self.path, body)}
                except Refused as err:
                    status, answer = err.status, {"errors": [str(err)]}
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        self.closed = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def rotate(self, name: str) -> None:
        self.keys[name].append(secrets.token_bytes(32))

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        _, _, mount, verb, *rest = path.partition("?")[0].split("/")
        name = "/".join(rest)
        if mount == "secret" and verb == "data" and name in self.secrets:
            return {"data": self.secrets[name], "metadata": {"version": 1}}
        if mount != "transit" or name not in self.keys:
            raise Refused(404, "")
        versions = self.keys[name]
        associated = b64decode(body.get("associated_data", ""))
        if verb == "keys":
            return {"name": name, "type": "aes256-gcm96", "latest_version": len(versions)}
        if verb == "encrypt":
            version, nonce = int(body.get("key_version") or len(versions)), secrets.token_bytes(12)
            sealed = AESGCM(versions[version - 1]).encrypt(nonce, b64decode(body["plaintext"]), associated)
            return {"ciphertext": f"vault:v{version}:{b64encode(nonce + sealed).decode()}", "key_version": version}
        return {"plaintext": self.decrypted(versions, body["ciphertext"], associated)}

    def decrypted(self, versions: list[bytes], text: str, associated: bytes) -> str:
        try:
            _, version, sealed = text.split(":")
            data = b64decode(sealed, validate=True)
            return b64encode(AESGCM(versions[int(version[1:]) - 1]).decrypt(data[:12], data[12:], associated)).decode()
        except (ValueError, IndexError, InvalidTag):
            raise Refused(400, "cipher: message authentication failed") from None


@contextmanager
def serving() -> Iterator[FakeVault]:
    vault = FakeVault()
    try:
        yield vault
    finally:
        vault.close()
