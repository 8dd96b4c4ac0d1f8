"""The generated contracts: `python -m services.cli.schemas` writes them, `--check` says which do not fit the code."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

import contracts
from contracts.envelope import EVENT_TYPES, Event
from services.agent_runner.app import SENT_BY_SWEEPS
from services.agent_runner.app import service as agent_runner
from services.audit.app import service as audit
from services.chassis.bus.in_process import InProcessBus
from services.chassis.runtime import Runtime
from services.chassis.settings import Settings
from services.cli.asyncapi import Participant, asyncapi
from services.field_mapping.app import service as field_mapping
from services.flow_orchestrator.app import service as flow_orchestrator
from services.gateway.app import SENT_BY_ROUTES, admission, create_api
from services.gateway.app import service as gateway

FOLDER = Path(contracts.__file__).parent
WHAT_TO_DO = "Run `just schemas` and commit what it writes."

PARTICIPANTS = (
    Participant(gateway, sends=SENT_BY_ROUTES, admits=tuple(admission.ADMITTED.values())),
    Participant(flow_orchestrator),
    Participant(field_mapping),
    Participant(agent_runner, sends=SENT_BY_SWEEPS),
    Participant(audit),
)


def event_schema(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's data, as other systems get it."""
    identity = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ai-modernize:event:{event.type_name}",
    }
    return {**identity, **event.data_schema()}


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the gateway; nothing is connected to for it."""
    settings = Settings(database_url="postgresql://localhost/migration", blob_url="memory:///", redis_url=None)
    return create_api(Runtime(gateway, settings, InProcessBus())).openapi()


def generated() -> dict[str, str]:
    """Every generated file by its path inside `contracts`."""
    files = {f"schemas/{name}.json": _json(event_schema(event)) for name, event in sorted(EVENT_TYPES.items())}
    return {**files, "asyncapi.yaml": _yaml(asyncapi(PARTICIPANTS)), "openapi.yaml": _yaml(openapi())}


def drift(folder: Path) -> list[str]:
    """What in `folder` is not as the code says, one line a file."""
    wanted = generated()
    lines = [
        f"{name} {'is out of date' if (folder / name).exists() else 'is missing'}"
        for name, text in wanted.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]
    return lines + [f"{name} has no event class any more" for name in _surplus(folder, wanted)]


def write(folder: Path) -> list[str]:
    """Bring `folder` up to date; returns the changed files."""
    changed = drift(folder)
    wanted = generated()
    for name in _surplus(folder, wanted):
        (folder / name).unlink()
    for name, text in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return changed


def _surplus(folder: Path, wanted: dict[str, str]) -> list[str]:
    found = (str(path.relative_to(folder)) for path in sorted((folder / "schemas").glob("*.json")))
    return [name for name in found if name not in wanted]


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class _NoAliases(yaml.CSafeDumper):
    """Writes an object out wherever it occurs, so that a reader meets no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(document: dict[str, Any]) -> str:
    head = f"# Generated from the code. {WHAT_TO_DO}\n"
    return head + yaml.dump(document, Dumper=_NoAliases, sort_keys=False, allow_unicode=True, width=110)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files in `contracts`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.cli.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files lie, by default contracts")
    options = parser.parse_args(arguments)
    if options.check:
        lines = drift(options.folder)
        if lines:
            print("\n".join(f"contracts/{line}" for line in lines), WHAT_TO_DO, sep="\n", file=sys.stderr)
        return 1 if lines else 0
    changed = write(options.folder)
    print("\n".join(f"contracts/{line.split()[0]}" for line in changed) or "Everything was up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
