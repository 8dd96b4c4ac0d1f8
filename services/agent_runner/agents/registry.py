"""The agents there are: one folder each, found by the `crew.py` in it."""

from collections.abc import Mapping
from importlib import import_module
from importlib.resources import files

from services.agent_runner.agents.agent_runs import run_agent
from services.agent_runner.agents.definition import Agent

__all__ = ["AGENTS", "Agent", "run_agent"]

_PACKAGE = "services.agent_runner.agents"


def found_agents(package: str = _PACKAGE) -> dict[str, Agent]:
    """Every agent of a package by its folder's name; raises `ValueError` for one that calls itself otherwise."""
    agents: dict[str, Agent] = {}
    for folder in sorted(files(package).iterdir(), key=lambda each: each.name):
        if not folder.is_dir() or not folder.joinpath("crew.py").is_file():
            continue
        agent: Agent = import_module(f"{package}.{folder.name}.crew").AGENT
        if agent.agent_id != folder.name:
            raise ValueError(f"the agent in {package}.{folder.name} calls itself {agent.agent_id}")
        agents[agent.agent_id] = agent
    return agents


AGENTS: Mapping[str, Agent] = found_agents()
