"""The generated contracts: as the code says, valid, complete, and compatible with every version there ever was."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has no types of its own
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts.envelope import EVENT_TYPES, Event
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.transport import EVENTS, Delivery, Subscription
from services.cli import schemas
from services.cli.asyncapi import queue_arguments
from services.gateway.route_scopes import ROUTE_SCOPES
from tests.contracts.compatibility import breaking_changes

ROOT = schemas.FOLDER.parent
SCHEMAS = "contracts/schemas"


@cache
def files() -> dict[str, str]:
    return schemas.generated()


@cache
def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(files()["asyncapi.yaml"])
    return document


@cache
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(files()["openapi.yaml"])
    return document


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(child)


def resolved(reference: str, document: dict[str, Any]) -> Any:
    """What a reference points to, in the document or in a generated file beside it; raises `KeyError`."""
    path, _, pointer = reference.partition("#")
    node: Any = json.loads(files()[path.removeprefix("./")]) if path else document
    for part in filter(None, pointer.split("/")):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


# Files


def test_the_committed_files_are_as_the_code_says() -> None:
    assert schemas.drift(schemas.FOLDER) == [], schemas.WHAT_TO_DO


def test_generating_twice_gives_the_same() -> None:
    assert schemas.generated() == files()


def test_writing_brings_a_folder_up_to_date_and_drift_says_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "generated", files)  # It takes seconds, and gives the same each time.
    folder = ["--folder", str(tmp_path)]
    assert schemas.main(folder) == 0
    assert schemas.main([*folder, "--check"]) == 0
    (tmp_path / "openapi.yaml").write_text("x")
    (tmp_path / "schemas/flow.updated.json").unlink()
    (tmp_path / "schemas/order.placed.json").write_text("{}")
    capsys.readouterr()
    assert schemas.main([*folder, "--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "contracts/schemas/flow.updated.json is missing",
        "contracts/openapi.yaml is out of date",
        "contracts/schemas/order.placed.json has no event class any more",
        schemas.WHAT_TO_DO,
    ]
    assert schemas.main(folder) == 0
    assert schemas.main([*folder, "--check"]) == 0


# JSON Schemas


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_a_schema_is_valid_and_names_itself(name: str) -> None:
    schema = json.loads(files()[f"schemas/{name}.json"])
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:ai-modernize:event:{name}"
    assert schema["description"]
    assert all(resolved(node["$ref"], schema) for node in objects(schema) if "$ref" in node)


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def earlier_versions(root: Path) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Every version of every schema in the history: path to commit and content, newest first."""
    try:
        git(root, "rev-parse", "--git-dir")
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"there is no git history to compare the schemas with: {getattr(error, 'stderr', error)}")
    log = git(root, "log", "--format=%H", "--name-only", "--no-renames", "--diff-filter=AM", "--", SCHEMAS)
    versions: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    commit = ""
    for line in filter(None, log.splitlines()):
        if line.startswith(SCHEMAS):
            versions.setdefault(line, []).append((commit, json.loads(git(root, "show", f"{commit}:{line}"))))
        else:
            commit = line
    return versions


def test_every_schema_is_compatible_with_all_its_earlier_versions() -> None:
    broken = []
    for path, versions in earlier_versions(ROOT).items():
        current = files().get(path.removeprefix("contracts/"))
        if current is None:
            broken.append(f"{path}: the event was removed, but systems outside may still send or hear it")
            continue
        for commit, version in versions:
            changes = breaking_changes(version, json.loads(current))
            broken += [f"{path} since {commit[:9]}: {change}" for change in changes]
    assert broken == [], "Make a breaking change as a new event type that ends in `.v2`."


def test_every_version_of_a_schema_is_found_in_the_history(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    folder = tmp_path / SCHEMAS
    folder.mkdir(parents=True)
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    contents: tuple[dict[str, str], ...] = ({"a.made": "1", "b.made": "2"}, {"a.made": "3"}, {"b.made": "4"})
    for content in contents:
        for name, title in content.items():
            (folder / f"{name}.json").write_text(json.dumps({"title": title}))
        git(tmp_path, "add", ".")
        git(tmp_path, *identity, "commit", "--quiet", "--message", "x")
    (folder / "b.made.json").unlink()
    git(tmp_path, *identity, "commit", "--quiet", "--all", "--message", "removed")
    found = {
        path: [version["title"] for _, version in versions] for path, versions in earlier_versions(tmp_path).items()
    }
    assert found == {f"{SCHEMAS}/a.made.json": ["3", "1"], f"{SCHEMAS}/b.made.json": ["4", "2"]}


# OpenAPI


def test_the_openapi_document_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi()).validate()


def operations() -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in openapi()["paths"].items()
        if path.startswith("/api/v1")
        for method, operation in methods.items()
    }


@pytest.mark.parametrize("name", operations())
def test_an_operation_explains_itself(name: str) -> None:
    operation = operations()[name]
    assert operation["description"]
    assert all(parameter["description"] for parameter in operation.get("parameters", []))
    assert bool(operation.get("security")) == (ROUTE_SCOPES[operation["operationId"]] is not None)
    assert "422" not in operation["responses"]
    answers = [response for status, response in operation["responses"].items() if status.startswith("2")]
    bodies = [answer["content"] for answer in answers] + [operation.get("requestBody", {}).get("content", {})]
    for body in bodies:
        if "application/json" in body:
            schema = resolved(body["application/json"]["schema"]["$ref"], openapi())
            validator = Draft202012Validator({**schema, "components": openapi()["components"]})
            assert schema["examples"]
            assert all(validator.is_valid(example) for example in schema["examples"])


def test_errors_are_problem_details() -> None:
    for operation in operations().values():
        for status in ("4XX", "5XX"):
            assert list(resolved(operation["responses"][status]["$ref"], openapi())["content"]) == [
                "application/problem+json"
            ]


def test_field_names_are_snake_case() -> None:
    names = {name for node in objects(openapi()) if node.get("type") == "object" for name in node.get("properties", {})}
    assert [name for name in names if name != name.lower() or "-" in name] == []


# AsyncAPI


def test_every_reference_resolves() -> None:
    references = [node["$ref"] for node in objects(asyncapi()) if isinstance(node.get("$ref"), str)]
    assert references
    assert all(resolved(reference, asyncapi()) for reference in references)


def test_every_event_has_a_message_and_a_channel() -> None:
    for name in EVENT_TYPES:
        assert f"{name}.batch" in asyncapi()["components"]["messages"]
        assert asyncapi()["channels"][f"{EVENTS}.{name}"]["address"] == name
        assert asyncapi()["components"]["schemas"][name]["allOf"][1]["properties"]["type"] == {"const": name}


def test_what_is_public_has_a_message_of_its_own_on_the_public_exchange() -> None:
    public = {f"public.{name}" for name, event in EVENT_TYPES.items() if event.public}
    assert public == {name for name in asyncapi()["channels"] if name.startswith("public.")}
    assert public


def test_every_operation_has_a_channel_with_messages() -> None:
    for operation in asyncapi()["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert resolved(operation["channel"]["$ref"], asyncapi())["messages"]


def test_names_are_what_asyncapi_allows() -> None:
    named = [*asyncapi()["channels"], *(name for part in asyncapi()["components"].values() for name in part)]
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._") for name in named)


def test_what_a_service_hears_some_service_sends() -> None:
    sent = {event for participant in schemas.PARTICIPANTS for event in participant.sent()}
    heard = {event for participant in schemas.PARTICIPANTS for event in participant.service.heard()} - {Event}
    assert heard - sent == set()


def test_every_event_is_sent_by_some_service() -> None:
    sent = {event.type_name for participant in schemas.PARTICIPANTS for event in participant.sent()}
    assert set(EVENT_TYPES) - sent == set()


def test_a_queue_is_described_as_the_bus_declares_it() -> None:
    async def take(_: Delivery) -> None: ...

    queue = RabbitBus("amqp://localhost/")._queue(Subscription("audit.all", "audit", EVENTS, "#", take))
    described = asyncapi()["channels"]["audit.all"]["bindings"]["amqp"]
    assert described["x-arguments"] == queue_arguments("audit")
    assert described["x-arguments"] == queue.arguments
    assert described["x-bound-to"] == {"exchange": EVENTS, "routing-key": queue.routing_key}
    assert (described["queue"]["name"], described["queue"]["durable"]) == (queue.name, queue.durable)
