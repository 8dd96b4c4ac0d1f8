"""Agent tasks: a piece of judgement that a flow asks for by name, answered by an agent or by rules."""

from typing import Any

from pydantic import Field

from contracts.envelope import Event, Problem


class AgentTaskRequested(Event, type="agent_task.requested"):
    """Do the named task with these inputs."""

    task: str = Field(description="An open set: gap_analysis, change_plan, …")
    inputs: dict[str, Any] = Field(default={})


class AgentTaskCompleted(Event, type="agent_task.completed"):
    """The task is done."""

    task: str
    outputs: dict[str, Any] = Field(default={})


class AgentTaskFailed(Event, type="agent_task.failed"):
    """The task could not be done, and why."""

    task: str
    problem: Problem
