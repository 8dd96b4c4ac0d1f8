"""Who may import what: services stay apart, pure modules stay pure, and only the chassis commits."""

import ast
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

import pytest

from tests.architecture.source import ROOT, Module, modules

Rule = Callable[[Module], Iterator[str]]

# The CLI is the composition root: it starts the services; `modernize map` and `audit verify FILE` need none.
COMPOSED_BY_CLI = (
    "services.*.app",
    "services.field_mapping.reading",
    "services.field_mapping.profile",
    "services.field_mapping.table_kind",
    *("services.agent_runner.models.environment", "services.agent_runner.models.loading"),
    "services.field_mapping.catalogue",
    "services.field_mapping.matching",
    "services.field_mapping.nearness",
    "services.field_mapping.technology_names",
    *("services.audit.offline", "services.audit.notes", "services.audit.merkle"),
)

# Modules that decide and do no I/O: the same input gives the same answer, so they can be tested by the thousand.
# Constants that ship with the package, such as a lexicon, are read with importlib.resources, which is allowed.
PURE = (
    "services.agent_runner.analysis.*",
    "services.agent_runner.agents.*.rules",
    *(f"services.agent_runner.agents.{name}" for name in ("application_items", "comparing", "definition", "prompts")),
    "services.field_mapping.matching",
    "services.field_mapping.evidence",
    "services.field_mapping.weighing",
    "services.field_mapping.units",
    "services.field_mapping.normalise",
    "services.field_mapping.merging",
    "services.field_mapping.quality",
    "services.field_mapping.technology_*",
    "services.field_mapping.dates",
    "services.field_mapping.vocabularies",
    "services.field_mapping.value_patterns",
    *(f"services.field_mapping.{name}" for name in ("taught", "verdicts", "learned", "effects", "feedback")),
    *(f"services.field_mapping.{name}" for name in ("sources", "drift", "documents", "decisions", "missing_fields")),
    *(f"services.agent_runner.models.{name}" for name in ("anthropic_wire", "breaker", "choice")),
    *(f"services.agent_runner.models.{name}" for name in ("exchange", "openai_wire")),
    "services.gateway.learning_analysis",
    "services.gateway.learning_document",
    "services.flow_orchestrator.decision",
    "services.flow_orchestrator.engine",
    "services.flow_orchestrator.flow_type",
    "services.flow_orchestrator.graph",
    "services.flow_orchestrator.lifecycle",
    "services.flow_orchestrator.repair",
    "services.flow_orchestrator.settling",
    "services.flow_orchestrator.state",
    "services.flow_orchestrator.turn",
    "services.flow_orchestrator.flows.*",
    *(f"services.audit.{name}" for name in ("chain", "checking", "merkle", "notes")),
    "services.chassis.outbound_rules",
)
INPUT_OUTPUT = (
    *("aio_pika", "aiormq", "alembic", "asyncio", "asyncpg", "cashews", "concurrent.futures", "docker", "fastapi"),
    *("faststream", "fileinput", "ftplib", "glob", "http", "httpx", "httpx2", "io.open", "multiprocessing", "obstore"),
    *("os", "pamqp", "pathlib.Path", "redis", "requests", "select", "shutil", "smtplib", "socket", "sqlalchemy"),
    *("sqlite3", "ssl", "starlette", "subprocess", "tempfile", "threading", "urllib.request", "uvicorn"),
)
CHASSIS_ONLY = ("aio_pika", "aiormq", "faststream", "obstore", "pamqp", "redis", "throttled")
# Whatever else could call a URL. The command line is the user's own client; the chassis has one client for all others.
HTTP_CLIENTS = (
    *("httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib3", "aiohttp", "urllib.request", "http.client"),
    *("websockets", "pycurl", "niquests", "authlib", "ftplib", "smtplib"),
)
OUTBOUND = "services.chassis.outbound"


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a dotted name, or a module that holds it, is one of the patterns."""
    return any(fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*") for pattern in patterns)


def services_stay_apart(module: Module) -> Iterator[str]:
    """A service imports itself, the contracts and the chassis; the CLI also what it composes."""
    if module.service is None:
        return
    for used in module.imports:
        if used.is_of("deploy", "tests"):
            yield f"{module.name}:{used.line} imports {used.name}, which is not part of the installed package"
        if not used.is_of("services") or used.is_of(f"services.{module.service}", "services.chassis"):
            continue
        if module.service != "cli" or not matches(used.name, COMPOSED_BY_CLI):
            yield f"{module.name}:{used.line} imports {used.name}; talk through an event of `contracts` instead"


def contracts_stand_alone(module: Module) -> Iterator[str]:
    """Contracts import pydantic, the standard library and themselves."""
    if module.name.split(".")[0] != "contracts":
        return
    for used in module.imports:
        if used.name.split(".")[0] not in {*sys.stdlib_module_names, "contracts", "pydantic"}:
            yield f"{module.name}:{used.line} imports {used.name}; contracts depend on pydantic alone"


def pure_modules_do_no_io(module: Module) -> Iterator[str]:
    """A pure module imports no I/O and opens nothing, and neither does any module that it reaches."""
    if not matches(module.name, PURE):
        return
    project = {known.name: known for known in modules()}
    pending, seen = [module], {module.name}
    while pending:
        reached = pending.pop()
        for line, doing in input_and_output(reached):
            yield f"{reached.name}:{line} {doing}; {module.name} has to stay pure"
        for used in reached.imports:
            name = used.name if used.name in project else used.name.rpartition(".")[0]
            if name in project and name not in seen:
                seen.add(name)
                pending.append(project[name])


def input_and_output(module: Module) -> Iterator[tuple[int, str]]:
    """The lines of a module that touch the world outside, and how."""
    for used in module.imports:
        if used.is_of(*INPUT_OUTPUT) or used.name == "pathlib":
            yield used.line, f"imports {used.name}"
    for call in module.calls:
        if isinstance(call.func, ast.Name) and call.func.id in {"open", "input", "print"}:
            yield call.lineno, f"calls {call.func.id}()"


def only_the_chassis_commits(module: Module) -> Iterator[str]:
    """Inbox row, business rows and outgoing events share one transaction, so one place ends it."""
    if module.service in {None, "chassis"}:
        return
    for call in module.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "commit":
            yield f"{module.name}:{call.lineno} commits; return the events and let the chassis commit"


def only_the_chassis_talks_to_infrastructure(module: Module) -> Iterator[str]:
    """Broker, cache and blob store have one owner each, in the chassis."""
    if module.service in {None, "chassis"}:
        return
    for used in module.imports:
        if used.is_of(*CHASSIS_ONLY):
            yield f"{module.name}:{used.line} imports {used.name}; use what services.chassis offers"


def one_client_calls_urls(module: Module) -> Iterator[str]:
    """A URL that a tenant names is called by `services.chassis.outbound` alone, which judges where it leads."""
    if module.service in {None, "cli"} or module.name == OUTBOUND:
        return
    for used in module.imports:
        if used.is_of(*HTTP_CLIENTS):
            yield f"{module.name}:{used.line} imports {used.name}; call URLs with the runtime's `outbound`"
    for call in module.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"open_connection", "create_connection"}:
            yield f"{module.name}:{call.lineno} connects by itself; call URLs with the runtime's `outbound`"


def crewai_is_loaded_late(module: Module) -> Iterator[str]:
    """CrewAI takes seconds to import and comes with an extra: only agent_runner has it, inside functions."""
    for used in module.imports:
        if used.is_of("crewai") and (module.service not in {"agent_runner", None} or used.at_module_level):
            yield f"{module.name}:{used.line} imports {used.name}; import it in a function of agent_runner"


RULES: tuple[Rule, ...] = (
    services_stay_apart,
    contracts_stand_alone,
    pure_modules_do_no_io,
    only_the_chassis_commits,
    only_the_chassis_talks_to_infrastructure,
    one_client_calls_urls,
    crewai_is_loaded_late,
)

# One line each that breaks a rule, and one that is as near to it as is allowed.
BROKEN: tuple[tuple[Rule, str, str], ...] = (
    (services_stay_apart, "services.audit.handlers", "from services.gateway.tables import KeyRow"),
    (services_stay_apart, "services.audit.handlers", "def f():\n    import services.gateway.tables"),
    (services_stay_apart, "services.audit.handlers", "from ..gateway import tables"),
    (services_stay_apart, "services.chassis.outbox", "from services.audit.chain import append"),
    (services_stay_apart, "services.cli.main", "from services.gateway.tables import KeyRow"),
    (services_stay_apart, "services.cli.demo", "from deploy.demo import generator"),
    (contracts_stand_alone, "contracts.flows", "from sqlalchemy import Column"),
    (contracts_stand_alone, "contracts.flows", "from services.chassis import errors"),
    (pure_modules_do_no_io, "services.audit.chain", "import sqlalchemy"),
    (pure_modules_do_no_io, "services.field_mapping.units", "from pathlib import Path"),
    (pure_modules_do_no_io, "services.agent_runner.analysis.waves", "import os.path"),
    (pure_modules_do_no_io, "services.flow_orchestrator.flows.discovery", "text = open('flow.yaml').read()"),
    (
        pure_modules_do_no_io,
        "services.flow_orchestrator.engine",
        "from services.flow_orchestrator.tables import FlowRow",
    ),
    (only_the_chassis_commits, "services.gateway.routes.flows", "async def f(s):\n    await s.commit()"),
    (only_the_chassis_talks_to_infrastructure, "services.gateway.app", "from faststream.rabbit import RabbitBroker"),
    (only_the_chassis_talks_to_infrastructure, "services.cli.main", "def f():\n    import redis.asyncio"),
    (one_client_calls_urls, "services.gateway.webhooks", "import httpx2"),
    (one_client_calls_urls, "services.chassis.tokens", "def f():\n    from urllib.request import urlopen"),
    (one_client_calls_urls, "services.agent_runner.models", "import asyncio\nasyncio.open_connection('x', 1)"),
    (crewai_is_loaded_late, "services.agent_runner.agents.six_r", "from crewai import Agent"),
    (
        crewai_is_loaded_late,
        "services.agent_runner.agents.six_r",
        "try:\n    import crewai\nexcept ImportError:\n    pass",
    ),
    (crewai_is_loaded_late, "services.gateway.app", "def f():\n    import crewai"),
)
ALLOWED: tuple[tuple[Rule, str, str], ...] = (
    (services_stay_apart, "services.audit.handlers", "from services.audit import chain"),
    (services_stay_apart, "services.audit.handlers", "from services.chassis.service import Service"),
    (services_stay_apart, "services.cli.main", "from services.gateway.app import service"),
    (services_stay_apart, "services.cli.map", "from services.field_mapping import matching"),
    (contracts_stand_alone, "contracts.flows", "from datetime import UTC\nfrom pydantic import Field"),
    (pure_modules_do_no_io, "services.field_mapping.tables", "import sqlalchemy"),
    (pure_modules_do_no_io, "services.field_mapping.units", "from services.field_mapping.dates import parse_date"),
    (pure_modules_do_no_io, "services.field_mapping.units", "from pathlib import PurePosixPath"),
    (only_the_chassis_commits, "services.chassis.outbox", "async def f(s):\n    await s.commit()"),
    (only_the_chassis_talks_to_infrastructure, "services.chassis.bus.rabbit", "import aio_pika"),
    (one_client_calls_urls, "services.cli.rest_client", "import httpx2"),
    (one_client_calls_urls, "services.gateway.webhooks", "from services.chassis.outbound import Outbound"),
    (one_client_calls_urls, "services.gateway.webhooks", "from urllib.parse import urlsplit"),
    (crewai_is_loaded_late, "services.agent_runner.agents.six_r", "def f():\n    from crewai import Agent"),
    (
        crewai_is_loaded_late,
        "services.agent_runner.agents.six_r",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from crewai import Agent",
    ),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Rule) -> None:
    broken = [line for module in modules() for line in rule(module)]
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


@pytest.mark.parametrize(("rule", "name", "text"), BROKEN)
def test_a_rule_reports_what_breaks_it(rule: Rule, name: str, text: str) -> None:
    assert list(rule(Module.parse(name, text)))


@pytest.mark.parametrize(("rule", "name", "text"), ALLOWED)
def test_a_rule_allows_its_near_miss(rule: Rule, name: str, text: str) -> None:
    assert not list(rule(Module.parse(name, text)))


@pytest.mark.parametrize("pattern", [*PURE, *COMPOSED_BY_CLI])
def test_a_rule_names_modules_that_exist(pattern: str) -> None:
    folder = pattern.replace(".", "/")
    assert list(ROOT.glob(f"{folder}.py")), f"no module is called {pattern}: the rule would hold nothing"
