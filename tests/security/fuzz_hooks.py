"""What schemathesis is told of this platform: ids that exist, of both tenants, and the check that nothing leaks."""

import json
import os
import zlib
from pathlib import Path
from typing import Any

import schemathesis

_ABOUT = json.loads(Path(os.environ["FUZZ_ABOUT"]).read_text(encoding="utf-8"))
_IDS: dict[str, list[str]] = _ABOUT["ids"]
_FOREIGN: list[str] = _ABOUT["foreign"]
# Of requests that take an id: made-up ids reach nothing, the own ones the logic, the foreign ones the isolation.
# One of so many stays as it was drawn.
MADE_UP = 5


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Put ids that exist where a path takes some."""
    for name, drawn in (path_parameters or {}).items():
        known = _IDS.get("asset_uid" if name == "other_uid" else name)
        # Drawn by what was drawn, so that a seed draws the same again.
        number = zlib.crc32(str(drawn).encode())
        if path_parameters is not None and known and number % MADE_UP:
            path_parameters[name] = known[number % len(known)]
    return path_parameters


@schemathesis.check
def nothing_foreign(context: Any, response: Any, case: Any) -> None:
    """No byte of the other tenant is in an answer, unless the request itself had it."""
    sent = f"{case.path_parameters} {case.query} {case.body} {case.headers} {response.request.url}"
    text = response.text + str(dict(response.headers))
    for secret in _FOREIGN:
        if secret in text and secret not in sent:
            raise AssertionError(f"the answer has {secret}, which belongs to another tenant")
