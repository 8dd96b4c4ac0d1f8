"""Root keys that only a cloud's key service can unwrap: AWS KMS keeps the key, the blob store the wrapped ones."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import from_url

from services.chassis.encryption_keys import FIRST_VERSION, KEY_BYTES, KeysUnusable

# Beside the folders of the tenants, whose names are UUIDs.
FOLDER = "encryption_keys/"


class KmsKeys:
    """Versions as data keys of one KMS key, each an object of the blob store that is useless without that key.

    Credentials, region and endpoint are what boto3 finds (`AWS_…`).
    """

    def __init__(self, key_id: str, blob_url: str) -> None:
        self._key_id = key_id
        self._store = from_url(blob_url, mkdir=True) if blob_url.startswith("file:") else from_url(blob_url)
        # An unwrapped version never changes, so KMS is asked once for each.
        self._unwrapped: dict[int, bytes] = {}

    def load(self) -> Mapping[int, bytes]:
        """As `KeyProvider` says."""
        versions = self._versions()
        if not versions:
            self.add(FIRST_VERSION)
            versions = self._versions()
        for version in versions:
            if version not in self._unwrapped:
                self._unwrapped[version] = self._unwrap(version)
        return {version: self._unwrapped[version] for version in versions}

    def add(self, version: int) -> None:
        """As `KeyProvider` says."""
        made = self._asked("generate_data_key", version, KeySpec="AES_256")
        try:
            obstore.put(self._store, f"{FOLDER}{version}", made["CiphertextBlob"], mode="create")
        except AlreadyExistsError:
            return

    def _versions(self) -> list[int]:
        names = [entry["path"].removeprefix(FOLDER) for page in obstore.list(self._store, FOLDER) for entry in page]
        return sorted(int(name) for name in names if name.isdecimal())

    def _unwrap(self, version: int) -> bytes:
        wrapped = bytes(obstore.get(self._store, f"{FOLDER}{version}").bytes())
        key: bytes = self._asked("decrypt", version, CiphertextBlob=wrapped)["Plaintext"]
        if len(key) != KEY_BYTES:
            raise KeysUnusable(f"What KMS unwrapped as version {version} has {len(key)} bytes instead of {KEY_BYTES}.")
        return key

    def _asked(self, operation: str, version: int, **given: Any) -> dict[str, Any]:
        """What KMS answers; the context, which its own log shows, binds a wrapped key to its version."""
        from botocore.exceptions import BotoCoreError, ClientError

        context = {"use": "modernize root key", "version": str(version)}
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(
                KeyId=self._key_id, EncryptionContext=context, **given
            )
        except (BotoCoreError, ClientError) as error:
            raise KeysUnusable(
                f"KMS does not {operation.replace('_', ' ')} with {json.dumps(self._key_id)} for version {version}: "
                f"{error}. Check MODERNIZE_KMS_KEY and what the platform's AWS role may do (kms:GenerateDataKey, "
                "kms:Decrypt)."
            ) from error
        return answer

    @cached_property
    def _client(self) -> Any:
        try:
            # Imported here: only who keeps keys in KMS has it.
            import boto3
        except ImportError as error:
            raise KeysUnusable(
                "MODERNIZE_KMS_KEY is set, and boto3 is not installed: install the extra `kms`."
            ) from error
        return boto3.client("kms")
