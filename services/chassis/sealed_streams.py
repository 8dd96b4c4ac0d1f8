"""Big data sealed piece by piece: what was read of a stream is whole, in order, and of this stream alone.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance, 2015): a key of its own for every stream; a piece's nonce is its number and whether it is the last,
so that pieces that were left out, repeated, swapped or cut off at the end do not open.
"""

from collections.abc import Iterator
from io import BufferedReader
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.envelope import Tenant
from services.chassis.encryption import HEADER_BYTES, TAG_BYTES, Vault, cannot_open, place_of

PIECE_BYTES = 1024**2


def sealed_size(size: int) -> int:
    """How many bytes `size` bytes become."""
    return HEADER_BYTES + size + _pieces(size) * TAG_BYTES


def _pieces(size: int) -> int:
    return max(1, -(-size // PIECE_BYTES))


class SealedStream:
    """Seals what it is given for one place. Yields nothing by itself: every part that comes out is to be stored."""

    def __init__(self, vault: Vault, tenant: Tenant, purpose: str, context: str) -> None:
        self.header, self._cipher = vault.key_of_its_own(tenant, purpose)
        self._place = self.header + place_of(tenant, purpose, context)
        self._cut = _Cut(PIECE_BYTES)

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """The sealed pieces that are complete with this chunk; the header goes before the first."""
        for number, piece in self._cut.take(chunk):
            yield self._cipher.encrypt(_nonce(number, last=False), piece, self._place)

    def end(self) -> bytes:
        """The last piece, without which the stream does not open."""
        number, piece = self._cut.end()
        return self._cipher.encrypt(_nonce(number, last=True), piece, self._place)


class OpenedStream:
    """Opens what was sealed for one place; every piece that comes out is as it was written.

    Raises `CannotOpen` at the first piece that is not, or at an end that is not the stream's; `KeyMissing`.
    """

    def __init__(
        self, vault: Vault, tenant: Tenant, purpose: str, context: str, header: bytes, data_key: bytes | None = None
    ) -> None:
        """`header` is the stream's first `HEADER_BYTES`; `data_key` opens it in place of the root key it names."""
        self._where = tenant, purpose, context
        self._cipher = AESGCM(data_key) if data_key else vault.key_of(tenant, purpose, context, header)
        self._place = header + place_of(tenant, purpose, context)
        self._cut = _Cut(PIECE_BYTES + TAG_BYTES)

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """The pieces that are complete with this chunk of what follows the header."""
        for number, piece in self._cut.take(chunk):
            yield self._open(number, piece, last=False)

    def end(self) -> bytes:
        """The last piece."""
        return self._open(*self._cut.end(), last=True)

    def open_file(self, source: BufferedReader, target: BinaryIO, size: int) -> None:
        """Write the `size` bytes that are sealed in `source`, which stands behind the header, to `target`."""
        # Both are filled again and again: pages that are new take longer than AES.
        sealed, opened = bytearray(PIECE_BYTES + TAG_BYTES), memoryview(bytearray(PIECE_BYTES))
        last = _pieces(size) - 1
        for number in range(last + 1):
            piece = memoryview(sealed)[: source.readinto(sealed)]
            try:
                length = self._cipher.decrypt_into(
                    _nonce(number, last=number == last), piece, self._place, opened[: len(piece) - TAG_BYTES]
                )
            except InvalidTag:
                raise cannot_open(*self._where) from None
            target.write(opened[:length])

    def _open(self, number: int, piece: bytes, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(number, last=last), piece, self._place)
        except InvalidTag:
            raise cannot_open(*self._where) from None


class _Cut:
    """Cuts chunks into numbered pieces of one size; the last, which may be shorter, is held back until the end."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._buffer = bytearray()
        self._number = 0

    def take(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        self._buffer += chunk
        while len(self._buffer) > self._size:
            piece = bytes(memoryview(self._buffer)[: self._size])
            del self._buffer[: self._size]
            yield self._number, piece
            self._number += 1

    def end(self) -> tuple[int, bytes]:
        return self._number, bytes(self._buffer)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")
