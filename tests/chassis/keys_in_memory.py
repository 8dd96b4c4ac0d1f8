"""Root keys for tests that need no folder."""

from collections.abc import Mapping


class Keys:
    """A provider that keeps its keys in memory."""

    def __init__(self, *keys: bytes) -> None:
        self.keys = dict(enumerate(keys or (b"k" * 32,), start=1))

    def load(self) -> Mapping[int, bytes]:
        return dict(self.keys)

    def add(self, version: int) -> None:
        self.keys.setdefault(version, bytes([version]) * 32)
