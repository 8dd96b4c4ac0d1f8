"""Root keys that a key service wraps: boto3 against a server that speaks its protocol on loopback."""

import base64
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.chassis.cloud_keys import FOLDER, KmsKeys
from services.chassis.encryption import Vault
from services.chassis.encryption_keys import KeysUnusable, key_provider
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant

KEY_ID = "alias/modernize"


class KeyService(ThreadingHTTPServer):
    """GenerateDataKey and Decrypt of the AWS KMS API (JSON 1.1), with a master key that never leaves it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.master = AESGCM(AESGCM.generate_key(256))
        self.asked: list[str] = []

    def answer(self, operation: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer."""
        self.asked.append(operation)
        context = json.dumps(given["EncryptionContext"], sort_keys=True).encode()
        if given["KeyId"] != KEY_ID:
            return 400, {"__type": "NotFoundException", "message": "no such key"}
        if operation == "GenerateDataKey":
            key, nonce = os.urandom(32), os.urandom(12)
            wrapped = nonce + self.master.encrypt(nonce, key, context)
            return 200, {"Plaintext": text(key), "CiphertextBlob": text(wrapped), "KeyId": KEY_ID}
        wrapped = base64.b64decode(given["CiphertextBlob"])
        try:
            key = self.master.decrypt(wrapped[:12], wrapped[12:], context)
        except InvalidTag:
            return 400, {"__type": "InvalidCiphertextException"}
        return 200, {"Plaintext": text(key), "KeyId": KEY_ID}


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: KeyService

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.server.answer(self.headers["X-Amz-Target"].partition(".")[2], given)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *given: object) -> None:
        """Say nothing."""


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyService]:
    """A key service that boto3 finds by the environment."""
    with KeyService() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{server.server_address[1]}")
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ):
            monkeypatch.setenv(name, value)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "blobs").as_uri()


def test_two_processes_open_what_each_other_sealed_and_the_store_has_no_plain_key(
    kms: KeyService, url: str, tmp_path: Path
) -> None:
    tenant = some_tenant()
    ours, theirs = Vault(KmsKeys(KEY_ID, url)), Vault(KmsKeys(KEY_ID, url))
    sealed = ours.seal(tenant, "webhooks.secret", "row", b"secret")
    assert theirs.open(tenant, "webhooks.secret", "row", sealed) == b"secret"
    stored = (tmp_path / "blobs" / FOLDER / "1").read_bytes()
    assert KmsKeys(KEY_ID, url).load()[1] not in stored


def test_a_rotation_adds_a_version_once_and_each_version_is_unwrapped_once(kms: KeyService, url: str) -> None:
    vault = Vault(KmsKeys(KEY_ID, url))
    assert [vault.add(1), vault.add(1), vault.add(2)] == [2, 2, 3]
    assert list(vault.versions()) == [1, 2, 3]
    vault.load()
    assert kms.asked.count("Decrypt") == 3


def test_many_that_start_at_once_agree_on_one_key(kms: KeyService, url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: dict(KmsKeys(KEY_ID, url).load()), range(8)))
    assert all(keys == found[0] for keys in found)


def test_a_wrapped_key_in_the_place_of_another_version_is_refused(kms: KeyService, url: str, tmp_path: Path) -> None:
    keys = KmsKeys(KEY_ID, url)
    keys.load()
    keys.add(2)
    folder = tmp_path / "blobs" / FOLDER
    (folder / "2").write_bytes((folder / "1").read_bytes())
    with pytest.raises(KeysUnusable, match="for version 2"):
        KmsKeys(KEY_ID, url).load()


def test_a_key_that_kms_does_not_know_is_named(kms: KeyService, url: str) -> None:
    with pytest.raises(KeysUnusable, match="alias/other") as refused:
        KmsKeys("alias/other", url).load()
    assert "MODERNIZE_KMS_KEY" in refused.value.problem.detail


def test_the_setting_chooses_it(tmp_path: Path) -> None:
    assert isinstance(key_provider(Settings(data_dir=tmp_path, kms_key=KEY_ID)), KmsKeys)
