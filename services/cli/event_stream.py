"""Server-sent events as they come; a stream that ends is taken up again where it was."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.cli.rest_client import RestClient

# How long one connection lasts; the platform allows an hour.
CONNECTION_SECONDS = 300.0


def follow(
    client: RestClient, path: str, params: Mapping[str, str], after: int | None, seconds: float | None
) -> Iterator[dict[str, Any]]:
    """The data of events, for so many seconds or without an end."""
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        left = CONNECTION_SECONDS if until is None else min(CONNECTION_SECONDS, max(0.0, until - time.monotonic()))
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with client.lines(path, {**params, "seconds": f"{left:.3f}"}, headers) as lines:
            for number, data in parsed(lines):
                after = number
                yield data
        if until is not None and time.monotonic() >= until:
            return


def parsed(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the JSON of each event in the lines of a stream (HTML, section 9.2.6)."""
    number, data = 0, ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            number = int(value)
        elif name == "data":
            data += value
        elif not line and data:
            yield number, json.loads(data)
            data = ""
