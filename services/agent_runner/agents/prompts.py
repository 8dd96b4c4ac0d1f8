"""The prompts of an agent, read from the `agents.yaml` and `tasks.yaml` of its folder, in CrewAI's format."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True)
class Prompts:
    """What a crew of one agent and one task is told; `version` changes with every character of it."""

    role: str
    goal: str
    backstory: str
    description: str
    expected_output: str
    number: int
    digest: str

    @property
    def version(self) -> str:
        """The number that people give, and a digest of the text that nobody can forget to change."""
        return f"{self.number}-{self.digest[:8]}"


def read_prompts(package: str, agent_id: str) -> Prompts:
    """The prompts in the folder of a package; raises `ValueError` where something is missing, naming it."""
    folder = files(package)
    texts = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in ("agents.yaml", "tasks.yaml")}
    agents, tasks = (yaml.safe_load(text) for text in texts.values())
    agent, task = _entry(agents, agent_id, "agents.yaml"), _entry(tasks, agent_id, "tasks.yaml")
    if task.get("agent") != agent_id:
        raise ValueError(f"{package}/tasks.yaml: the task {agent_id} must name the agent {agent_id}")
    return Prompts(
        role=_text(agent, "role", package),
        goal=_text(agent, "goal", package),
        backstory=_text(agent, "backstory", package),
        description=_text(task, "description", package),
        expected_output=_text(task, "expected_output", package),
        number=int(agents["version"]),
        digest=hashlib.sha256("\0".join(texts.values()).encode()).hexdigest(),
    )


def _entry(document: Any, name: str, file: str) -> dict[str, Any]:
    if not isinstance(document, dict) or not isinstance(document.get(name), dict):
        raise ValueError(f"{file} must have an entry {name}")
    entry: dict[str, Any] = document[name]
    return entry


def _text(entry: dict[str, Any], name: str, package: str) -> str:
    text = str(entry.get(name) or "").strip()
    if not text:
        raise ValueError(f"{package}: {name} is missing or empty")
    return text
