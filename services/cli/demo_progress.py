"""Where a demo stands, kept in its data directory, so that one that was killed can go on."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel

from contracts.rest import FlowView
from services.cli.rest_client import RestClient


class DemoState(BaseModel):
    """The last demo of a data directory."""

    files: list[tuple[str, str]]
    before: UUID | None = None
    flow_id: UUID | None = None
    ended: bool = False


class DemoProgress:
    """Remembers the flow of a demo before and after it starts, so that no moment of a kill loses it."""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self._path = path
        self._state = DemoState(files=[(file.name, _digest(file)) for file in files])

    def unfinished_flow(self, client: RestClient) -> UUID | None:
        """The discovery of the last demo, if it was of the same files and did not end."""
        if not self._path.exists():
            return None
        last = DemoState.model_validate_json(self._path.read_bytes())
        if last.ended or last.files != self._state.files:
            return None
        if last.flow_id is None:
            # Killed between asking for the flow and hearing its id: it is the only one younger than those before.
            younger = (
                flow.flow_id for flow in _discoveries(client) if last.before is None or flow.flow_id > last.before
            )
            last.flow_id = next(younger, None)
        self._state = last
        return last.flow_id

    def about_to_start(self, client: RestClient) -> None:
        """Remember which flows there were before."""
        self._state.before = max((flow.flow_id for flow in _discoveries(client)), default=None)
        self._save()

    def started(self, flow_id: UUID) -> None:
        """Remember the flow."""
        self._state.flow_id = flow_id
        self._save()

    def ended(self) -> None:
        """Remember that the next demo begins anew."""
        self._state.ended = True
        self._save()

    def _save(self) -> None:
        part = self._path.with_suffix(".part")
        part.write_text(self._state.model_dump_json(indent=2), encoding="utf-8")
        part.replace(self._path)


def _discoveries(client: RestClient) -> list[FlowView]:
    return list(client.items("/flows", FlowView, {"flow_type": "discovery"}))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
