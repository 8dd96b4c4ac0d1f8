"""`modernize demo` without a model, with one, and with one that fails half of its calls: it ends, and says by whom."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.generate import generate
from tests.cli.conftest import environment, modernize
from tests.model_answers import otherwise
from tests.model_server import ModelServer, model_server

pytestmark = pytest.mark.xdist_group("crewai")

STEPS = {"mapping_advice", "six_r", "risk_assessment", "wave_planning"}


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small export with doubtful columns and applications that rules are unsure about."""
    folder = tmp_path_factory.mktemp("export")
    generate(folder, rows=250, seed=7, dialect="cmdb")
    return sorted(folder.glob("*.csv"))


async def demo(folder: Path, *arguments: str | Path, stub: ModelServer | None = None) -> Any:
    """What a demo that has to succeed prints with --json, and what it said on the way."""
    command = [sys.executable, "-m", "services.cli", "demo", "--out", "report", "--json", *map(str, arguments)]
    given = environment(folder, **({} if stub is None else {"COMPATIBLE_BASE_URL": stub.url}))
    if stub is not None:
        command += ["--model", "compatible/stub"]
    child = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    told, said = await child.communicate()
    assert child.returncode == 0, said.decode()
    return json.loads(told), said.decode()


@pytest.mark.timeout(600)
async def test_the_demo_ends_with_any_model_and_none_and_says_which_it_was(export: list[Path], tmp_path: Path) -> None:
    async with model_server(answering=otherwise) as stub:
        found, said = await demo(tmp_path, *export, stub=stub)
    work = {each["step"]: each for each in found["report"]["agents"]}
    assert work.keys() == STEPS
    assert {each["model"] for each in work.values()} == {"compatible/stub"}
    assert sum(each["calls"] for each in work.values()) == len(stub.chats())
    assert work["mapping_advice"]["otherwise"] > 0
    suggested = [row for row in found["report"]["applications"] if row["suggestion"]]
    assert len(suggested) == work["six_r"]["otherwise"] > 0
    assert {row["strategy"] for row in suggested}.isdisjoint({"retire"}), "what a model suggests decides nothing"
    assert "compatible/stub" in (tmp_path / "report" / "migration-plan.html").read_text(encoding="utf-8")
    assert "for $1 a day at most" in said

    # Half of the calls fail: what the attempts do not mend, the rules answer, and the reason is told.
    anew = tmp_path / "half"
    anew.mkdir()
    async with model_server(answering=otherwise, fail_share=0.5, seed=3) as stub:
        found, _ = await demo(anew, *export, stub=stub)
    work = {each["step"]: each for each in found["report"]["agents"]}
    assert work.keys() == STEPS
    assert sum(each["calls"] for each in work.values()) == len(stub.chats())
    assert sum(each["calls_failed"] for each in work.values()) > 0
    assert all(each["model"] or each["fallback"]["detail"] for each in work.values())

    # The same folder, now without a model: what an earlier demo configured counts no more.
    stub.requests.clear()
    again, _ = await demo(tmp_path, *export)
    assert again["report"]["agents"] == []
    assert "no model was asked" in (tmp_path / "report" / "migration-plan.html").read_text(encoding="utf-8")
    assert not any(row["suggestion"] for row in again["report"]["applications"])


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("nobody/x", "the providers are deepinfra, openai"),
        ("openai/gpt-4.1", "OPENAI_API_KEY is not set"),
        ("openai/nonsense", "openai has openai/gpt-4.1"),
        ("compatible/x", "COMPATIBLE_BASE_URL is not set"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused_before_anything_starts(
    model: str, why: str, inventory: Path, tmp_path: Path
) -> None:
    done = modernize(["demo", "--model", model, inventory], tmp_path, OPENAI_API_KEY="", COMPATIBLE_BASE_URL="")
    assert done.exit_code == 1
    assert why in done.stderr
    assert not (tmp_path / "demo").exists()
