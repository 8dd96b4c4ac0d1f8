"""The model that a demo's agents may ask: from the environment into the demo's own platform, and what came of it."""

import asyncio
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anyio.from_thread import BlockingPortal

from contracts import model_configuration as keys
from contracts.agent_work import AgentWork
from contracts.envelope import Problem
from contracts.rest_configuration import ConfigurationBody, ConfigurationView
from services.agent_runner.models.environment import configured_by
from services.agent_runner.models.loading import NOT_INSTALLED, installed, load_now
from services.cli.embedded import EmbeddedPlatform
from services.cli.flow_views import new_table
from services.cli.rest_client import RestClient
from services.cli.terminal import CommandFailed, err, out
from services.cli.wording import count, words

if TYPE_CHECKING:
    from services.chassis.settings import Settings

REASON = "`modernize demo`"
HEARD_SECONDS = 60.0
LOOK_SECONDS = 0.05
_KEYS = (keys.MODELS, keys.MODEL_PROVIDER_KEYS, keys.MODEL_BASE_URLS, keys.MODEL_BUDGET_USD_PER_DAY)
HOW_TO = (
    "To have agents ask a model about what rules are unsure of: `./justw install agents`, then name one, its key in "
    "the provider's usual variable: OPENAI_API_KEY=… modernize demo --model openai/gpt-4.1-mini"
)


def demo_model(name: str | None, budget_usd: float) -> dict[str, Any]:
    """What to configure, by key; nothing without a model. Raises `CommandFailed` where it cannot be asked."""
    if not name:
        return {}
    found = configured_by(os.environ, name)
    if isinstance(found, Problem):
        raise CommandFailed(found.detail, code=found.code)
    return {**found, keys.MODEL_BUDGET_USD_PER_DAY.name: budget_usd}


def reaching(settings: "Settings", values: Mapping[str, Any]) -> "Settings":
    """The settings with which the demo reaches an address that whoever runs it named."""
    named = (urlsplit(url) for url in values.get(keys.MODEL_BASE_URLS.name, {}).values())
    entries = [f"{'http://' if url.scheme == 'http' else ''}{url.netloc}" for url in named]
    return settings.model_copy(update={"outbound_allowed": " ".join([settings.outbound_allowed, *entries]).strip()})


def loaded(settings: "Settings", values: Mapping[str, Any]) -> None:
    """Load CrewAI before the first agent needs it, or say that it is not there."""
    if not values:
        return
    if not installed():
        err.print(f"[yellow]![/] {NOT_INSTALLED.detail}", soft_wrap=True)
        return
    begun = time.monotonic()
    with err.status("Loading CrewAI …"):
        load_now(settings.data_dir / "crewai")
    err.print(f"[green]✓[/] CrewAI is loaded [dim]({time.monotonic() - begun:.0f} s)[/]")


def configure(
    client: RestClient, platform: EmbeddedPlatform, portal: BlockingPortal, values: Mapping[str, Any]
) -> None:
    """Let these values count from now on in the demo's engagement, and nothing that an earlier demo left."""
    from contracts.rest import EngagementView

    engagement = client.get("/engagements/current", EngagementView)
    versions: dict[str, int | None] = {}
    for key in _KEYS:
        path = f"/configuration/{key.name}"
        if key.name in values:
            body = ConfigurationBody.model_construct(value=values[key.name], reason=REASON)
            versions[key.name] = client.put(path, ConfigurationView, body).version
        elif client.get(path, ConfigurationView).origin == "engagement":
            client.delete(path, ConfigurationView, params={"reason": REASON})
            versions[key.name] = None
    if versions:
        portal.call(_until_heard, platform, engagement, versions)
    if values:
        (name,) = values[keys.MODELS.name].values()
        budget = values[keys.MODEL_BUDGET_USD_PER_DAY.name]
        told = f"Agents may ask {name} about what the rules are unsure of, for ${budget:g} a day at most."
        err.print(f"[green]✓[/] {told}", soft_wrap=True)


async def _until_heard(platform: EmbeddedPlatform, engagement: Any, versions: Mapping[str, int | None]) -> None:
    """Until every service acts on these versions; None is of what was unset."""
    from contracts.envelope import Tenant
    from services.chassis.configuration import settings_in_force

    tenant = Tenant(client_account_id=engagement.client_account_id, engagement_id=engagement.engagement_id)
    async with asyncio.timeout(HEARD_SECONDS):
        for runtime in platform.runtimes.values():
            while True:
                async with runtime.database.session() as session:
                    found = await settings_in_force(session, runtime.service.metadata, tenant)
                if all(
                    version == (found[name].version if name in found else None) for name, version in versions.items()
                ):
                    break
                await asyncio.sleep(LOOK_SECONDS)
            runtime.configuration.forget()


def show_agents(work: list[AgentWork], *, model: bool) -> None:
    """Print which engine answered what, and what it used."""
    out.rule("[bold]Who decided[/]", align="left")
    out.print("The rules and you: what a model says stands beside what the rules decided, and changes nothing of it.")
    if not work:
        out.print("No model was asked: the rules were unsure of nothing that agents look at." if model else HOW_TO)
        out.print()
        return
    table = new_table("Step", "Unsure", "Answered by", "Otherwise", "Calls", "Failed", "Tokens", "US$", title=None)
    for column in (1, 3, 4, 5, 6, 7):
        table.columns[column].justify = "right"
    for each in work:
        figures = (each.otherwise, each.calls, each.calls_failed, each.tokens_in + each.tokens_out)
        by = each.model or "the rules alone"
        table.add_row(words(each.step), f"{each.asked:,}", by, *(f"{n:,}" for n in figures), f"{each.cost_usd:.4f}")
    out.print(table)
    for each in work:
        if each.fallback is not None:
            out.print(f"  {words(each.step)}: {each.fallback.detail}", style="dim", markup=False, soft_wrap=True)
    differing = sum(each.otherwise for each in work)
    out.print(
        f"{count(differing, 'suggestion')} from models {'differs' if differing == 1 else 'differ'} from the rules."
    )
    out.print()
