"""What tools give, without models: bounded, escaped, counted; and what they look up, in whatever order it was told."""

import itertools
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.claim_checks import ASSETS
from services.agent_runner.agents.data_block import data_block
from services.agent_runner.agents.registry import AGENTS
from services.agent_runner.mcp_servers.http_transport import _events
from services.agent_runner.mcp_servers.session import offered_name
from services.agent_runner.tables import TaughtLesson
from services.agent_runner.tools.assets import MOST_ROWS, LookUpAssets, assets_in
from services.agent_runner.tools.catalogue import TOOLS
from services.agent_runner.tools.mappings import counted_by_name

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(values, st.integers(120, 400))
def test_a_block_of_data_has_no_end_but_its_own_and_is_never_longer(value: Any, longest: int) -> None:
    block = data_block(value, longest)
    inner = block.removeprefix("<data>\n").removesuffix("\n</data>")
    assert not {*"<>"} & {*inner}
    assert len(inner) <= longest
    told = json.loads(inner)
    assert told == value or (set(told) == {"cut_after", "of", "begins"} and told["of"] > told["cut_after"])


def test_every_tool_that_an_agent_names_exists() -> None:
    assert {name for agent in AGENTS.values() for name in agent.tools} == set(TOOLS)
    for tool in TOOLS.values():
        assert tool.description
        assert tool.arguments.model_json_schema()["additionalProperties"] is False


def test_no_tool_takes_a_tenant() -> None:
    told = json.dumps([tool.arguments.model_json_schema() for tool in TOOLS.values()])
    assert "tenant" not in told
    assert "engagement" not in told


@given(st.text(min_size=1, max_size=100))
def test_a_servers_tool_is_never_called_like_one_of_ours(tool: str) -> None:
    name = offered_name("wiki", tool)
    assert name.startswith("mcp_wiki")
    assert name not in TOOLS
    assert len(name) <= 64


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["app01", "db01", "web01", "web02"]),
        ({"name": " WEB"}, ["web01", "web02"]),
        ({"name": "10.0.0.9"}, ["db01"]),
        ({"name": "web", "application": "shop"}, ["web01"]),
        ({"operating_system": "windows"}, ["db01"]),
        ({"environment": "Prod", "limit": 1}, ["db01"]),
        ({"name": ".*"}, []),
    ],
)
def test_assets_are_found_by_parts_of_what_they_have(asked: dict[str, Any], names: list[str], tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"name": "web01", "application_name": "Shop", "environment": "Production"},
        {"name": "web02", "application_name": "Mail"},
        {"name": "db01", "ip_address": "10.0.0.9", "operating_system": "Windows 2012", "environment": "Production"},
        {"name": "app01", "description": "not shown"},
    ]
    path = tmp_path / "assets.parquet"
    texts = [name for name, kind in ASSETS.items() if kind == "String"]
    pl.DataFrame(
        [{name: row.get(name) for name in texts} for row in rows], schema=dict.fromkeys(texts, pl.String)
    ).write_parquet(path)
    told = assets_in(path, LookUpAssets.model_validate(asked))
    assert [row["name"] for row in told["rows"]] == names
    assert told["shown"] == len(names) <= MOST_ROWS
    assert "not shown" not in json.dumps(told)


def a_lesson(column: str, field: str | None, how: str, *, in_force: bool = True) -> TaughtLesson:
    about = {"column": column, "field": field, "how": how, "in_force": in_force, "verdict": "is"}
    return TaughtLesson(lesson_id=uuid4(), source_id=uuid4(), unit=None, revision=1, **about)


def test_lessons_are_counted_by_name_and_field_with_those_that_people_corrected_first() -> None:
    lessons = [
        a_lesson("RAM_GB", "memory_gb", "correction"),
        a_lesson("ram gb", "memory_gb", "correction"),
        a_lesson("RAM (GB)", "storage_gb", "approval", in_force=False),
        a_lesson("Host", "hostname", "approval"),
    ]
    for order in itertools.permutations(lessons):
        rows = counted_by_name(order)
        assert [(row["column"], row["field"], row["corrected"], row["contradicted"]) for row in rows[:1]] == [
            ("ram gb", "memory_gb", 2, True)
        ]
        told = {row["field"]: row for row in rows}
        assert (told["storage_gb"]["taken_back"], told["storage_gb"]["counts_now"]) == (1, False)
        assert (told["hostname"]["confirmed"], told["hostname"]["contradicted"]) == (1, False)


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'event: message\r\ndata: {"a":\r\ndata: 1}\r\n\r\n', [b'{"a":\n1}']),
        (b": comment\n\ndata:x\n\nid: 7\ndata: y", [b"x", b"y"]),
        (b"", []),
    ],
)
def test_server_sent_events_are_read_whole(body: bytes, texts: list[bytes]) -> None:
    assert _events(body) == texts
