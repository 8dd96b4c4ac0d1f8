"""A JSON document that is one list of objects, read several times faster than a parser of events can."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

_CHUNK_BYTES = 1024**2
_BLANKS = re.compile(r"[ \t\r\n]*")


class NotPlain(Exception):
    """Something that only a look at every event can name, or read."""


def _no_constant(_text: str) -> NoReturn:
    raise NotPlain


# Numbers stay as they are written.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant)


def plain_records(file: BinaryIO, most_chars: int, most_parts: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The numbered objects of the list, of which none may be larger; raises `NotPlain`, perhaps after some of them."""
    text = _Text(file)
    if text.next_sign() != "[":
        raise NotPlain
    text.at += 1
    number = 0
    while text.next_sign() == "{":
        start = text.at
        record = text.next_object(most_chars)
        if text.at - start > most_parts and text.count_parts(start) > most_parts:
            raise NotPlain
        number += 1
        yield number, record
        if text.next_sign() == "]":
            break
        if text.next_sign() != ",":
            raise NotPlain
        text.at += 1
    else:
        raise NotPlain
    text.at += 1
    if text.next_sign():
        raise NotPlain


class _Text:
    """A file's text from a place on that moves, as much of it as is needed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._decode = file, codecs.getincrementaldecoder("utf-8")().decode
        self._text, self.at = "", 0

    def next_sign(self) -> str:
        """The next letter that is not blank, nothing at the end."""
        while True:
            found = _BLANKS.match(self._text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self._text):
                return self._text[self.at]
            if not self._more():
                return ""

    def next_object(self, most_chars: int) -> dict[str, Any]:
        """The object that begins here."""
        while True:
            try:
                record, end = _DECODER.raw_decode(self._text, self.at)
            except (ValueError, RecursionError) as error:
                # It may be cut off where the text that was read ends.
                if len(self._text) - self.at > most_chars or isinstance(error, RecursionError) or not self._more():
                    raise NotPlain from error
                continue
            if not isinstance(record, dict) or end - self.at > most_chars:
                raise NotPlain
            self.at = end
            return record

    def count_parts(self, start: int) -> int:
        """How many objects and lists begin between `start` and here."""
        return self._text.count("{", start, self.at) + self._text.count("[", start, self.at)

    def _more(self) -> bool:
        chunk = self._file.read(_CHUNK_BYTES)
        self._text, self.at = self._text[self.at :] + self._decode(chunk, not chunk), 0
        return bool(chunk)
