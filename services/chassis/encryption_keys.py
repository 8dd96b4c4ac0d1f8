"""Where the keys come from under which everything is sealed: a file, the environment, or a cloud's key service."""

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from services.chassis.errors import Conflict, ExpectedFailure
from services.chassis.settings import Settings

KEY_BYTES = 32
FIRST_VERSION = 1


class KeysUnusable(ExpectedFailure):
    """The configured source gives no keys that can be used."""

    status = 500

    def __init__(self, detail: str) -> None:
        super().__init__("encryption_keys_unusable", detail)


class KeyProvider(Protocol):
    """A source of root keys. Both methods may wait for disk or network, so they are called in threads."""

    def load(self) -> Mapping[int, bytes]:
        """Every version's key of 32 bytes, the one to seal with last; raises `KeysUnusable`."""

    def add(self, version: int) -> None:
        """Make a key of this version, to seal with from now on, unless there is one; raises `Conflict` where only an
        operator can.
        """


class KeyFolder:
    """Keys as files of a folder, one a version, which only their owner can read; the first makes itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> Mapping[int, bytes]:
        """As `KeyProvider` says; whoever of several processes is first makes the first key for all."""
        keys = self._read()
        if not keys:
            self._make(FIRST_VERSION)
            keys = self._read()
        return keys

    def add(self, version: int) -> None:
        """As `KeyProvider` says."""
        self._make(version)

    def _read(self) -> dict[int, bytes]:
        if not self._folder.is_dir():
            return {}
        versions = sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdecimal())
        return {version: self._key_in(self._folder / str(version)) for version in versions}

    def _key_in(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                readable_by_all = os.fstat(file.fileno()).st_mode & 0o007
                content = file.read()
        except OSError as error:
            raise KeysUnusable(f"The key file {path} cannot be read: {error.strerror}. Restore it.") from error
        if readable_by_all:
            raise KeysUnusable(
                f"Everybody on this machine may read the key file {path}, so nothing was sealed with it. "
                f"Run `chmod 600 {path}`; if others may have read it, also `modernize encryption rotate`."
            )
        return decoded(content.decode("ascii", errors="replace"), f"The key file {path}")

    def _make(self, version: int) -> None:
        """Write a complete, durable file or none; one that is already there stays."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._folder / f".{version}.{secrets.token_hex(8)}"
        try:
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, self._folder / str(version))
        except FileExistsError:
            return
        finally:
            partial.unlink(missing_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class EnvironmentKeys:
    """Keys that the operator gives: `VERSION:BASE64,…`, the one to seal with last."""

    def __init__(self, text: str) -> None:
        self._text = text

    def load(self) -> Mapping[int, bytes]:
        """As `KeyProvider` says."""
        keys: dict[int, bytes] = {}
        for entry in self._text.split(","):
            version, colon, key = entry.strip().partition(":")
            if not (colon and version.isdecimal() and 0 < int(version) < 2**32) or int(version) in keys:
                raise KeysUnusable(
                    "MODERNIZE_ENCRYPTION_KEYS must look like 1:BASE64,2:BASE64, each version a number of its own; "
                    "`openssl rand -base64 32` makes a key."
                )
            keys[int(version)] = decoded(key, f"Version {version} in MODERNIZE_ENCRYPTION_KEYS")
        return keys

    def add(self, version: int) -> None:
        """As `KeyProvider` says."""
        raise Conflict(
            "keys_are_the_operators",
            "The encryption keys stand in MODERNIZE_ENCRYPTION_KEYS, so only who sets it can add one: put a new "
            "version first and restart every service, so that all can open it; then put it last and restart again.",
        )


def decoded(text: str, where: str) -> bytes:
    """A key from its base64; raises `KeysUnusable` without telling what stands there."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeysUnusable(f"{where} is not the base64 of {KEY_BYTES} bytes; `openssl rand -base64 32` makes such.")
    return key


def key_provider(settings: Settings) -> KeyProvider:
    """The source that the settings name."""
    if settings.encryption_keys is not None:
        return EnvironmentKeys(settings.encryption_keys.get_secret_value())
    if settings.kms_key is not None:
        from services.chassis.cloud_keys import KmsKeys

        return KmsKeys(settings.kms_key, settings.blob_store_url)
    return KeyFolder(settings.data_dir.absolute() / "encryption_keys")
