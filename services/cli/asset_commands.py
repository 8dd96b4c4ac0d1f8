"""`modernize assets`: which there are, where values come from, what an import changed, which are one machine."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer
from rich.text import Text

from services.cli.answering import answered
from services.cli.command import connected
from services.cli.terminal import CommandFailed, out, print_json, print_models

if TYPE_CHECKING:
    from contracts.rest_assets import AssetOriginView
    from services.cli.rest_client import RestClient

asset_commands = typer.Typer(help="The assets that were found.", no_args_is_help=True)

# Reading the files' tables again takes seconds for a million rows; silence for this long means that nobody does it.
PATIENCE_SECONDS = 120

AssetName = Annotated[str, typer.Argument(help="Name or uid of the asset.", show_default=False)]
Flow = Annotated[UUID | None, typer.Option("--flow", help="Of this discovery; the newest if left out.")]
Field = Annotated[str | None, typer.Option(help="Only this field, such as memory_gb.")]
Rows = Annotated[list[str], typer.Argument(help="Its source rows that are the other machine.", show_default=False)]


@asset_commands.callback()
def assets() -> None:
    """The assets that were found."""


@asset_commands.command("list")
@connected
def list_assets(
    client: "RestClient",
    missing: Annotated[str | None, typer.Option(help="Only those without a value of this field.")] = None,
    asset_type: Annotated[str | None, typer.Option("--type", help="Only of this asset type, or `unknown`.")] = None,
    name: Annotated[str | None, typer.Option(help="Part of the name, where names are not sealed.")] = None,
    exact: Annotated[str | None, typer.Option(help="A host name, FQDN or VM name as a whole.")] = None,
    address: Annotated[str | None, typer.Option(help="An IP or MAC address as a whole.")] = None,
    flow: Flow = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: bool = False,
) -> None:
    """List assets; with --missing those that lack a field, and where they come from."""
    from contracts.rest import AssetView
    from services.cli.flow_views import new_table

    asked = {
        "missing": missing,
        "asset_type": asset_type,
        "q": name,
        "flow_id": flow,
        "name": exact,
        "address": address,
    }
    # One more than is shown tells whether there are more.
    found = list(islice(client.items("/assets", AssetView, asked), limit + 1))
    if as_json:
        print_json({"assets": [each.model_dump(mode="json") for each in found[:limit]], "more": len(found) > limit})
        return
    if not found:
        out.print("There is no such asset.")
        return
    table = new_table("Asset", "Type", "Environment", "Operating system", "Application", "Comes from")
    for each in found[:limit]:
        facts = (each.asset_type, each.environment, each.operating_system, each.application_name, each.source_rows)
        table.add_row(Text(each.name), *(Text(fact or "–") for fact in facts))
    out.print(table)
    if len(found) > limit:
        out.print(f"There are more than these {limit:,}; --limit shows them.")


@asset_commands.command("origin")
@connected
def show_origin(
    client: "RestClient", asset: AssetName, field: Field = None, flow: Flow = None, as_json: bool = False
) -> None:
    """Tell which cell each value of an asset comes from, by which rule, and why no other."""
    origin = _told(client, _uid(client, asset, flow), flow)
    if as_json:
        print_json(origin.model_dump(mode="json"))
        return
    for one in origin.fields:
        if field in (None, one.field):
            value = "no value" if one.value is None else one.value
            mark = "[yellow]![/] " if one.conflict else ""
            out.print(f"{mark}[bold]{one.field}[/]", value, f"({one.reason})", soft_wrap=True, highlight=False)
            for cell in one.cells:
                place = f"{cell.file_name}{f'/{cell.sheet}' if cell.sheet else ''}:{cell.row}"
                chosen = "→" if cell.chosen else " "
                line = f"  {chosen} {place} {cell.column!r}: {cell.raw!r}, {cell.rule}"
                out.print(line, markup=False, soft_wrap=True, highlight=False)
    if origin.rules_changed:
        out.print("The rules have changed since this inventory was made: import the files again to apply them.")


@asset_commands.command("changes")
@connected
def list_changes(
    client: "RestClient",
    change: Annotated[
        Literal["appeared", "returned", "changed", "vanished"] | None, typer.Option(help="Only of this kind.")
    ] = None,
    flow: Flow = None,
    as_json: bool = False,
) -> None:
    """List what an import changed of the assets that there were."""
    from contracts.rest_assets import AssetChangeView
    from services.cli.flow_views import new_table

    changes = list(client.items("/asset-changes", AssetChangeView, {"flow_id": flow, "change": change}))
    if as_json:
        print_models("changes", changes)
        return
    if not changes:
        out.print("Nothing changed, or there were no assets before.")
        return
    table = new_table("Asset", "Change", "Field", "Before", "After")
    for one in changes:
        table.add_row(one.name, one.change, one.field or "", one.before or "", one.after or "")
    out.print(table)


@asset_commands.command("duplicates")
@connected
def list_duplicates(client: "RestClient", flow: Flow = None, as_json: bool = False) -> None:
    """List pairs of assets that might be one machine, for a person to decide."""
    from contracts.rest_assets import DuplicateView
    from services.cli.flow_views import new_table

    pairs = list(client.items("/duplicates", DuplicateView, {"flow_id": flow}))
    if as_json:
        print_models("duplicates", pairs)
        return
    if not pairs:
        out.print("There is no pair of assets that might be one machine.")
        return
    table = new_table("Asset", "Other", "Probability", "Evidence", "Decision")
    for pair in pairs:
        decision = "open" if pair.same is None else "same" if pair.same else "different"
        uids = (f"{pair.name}\n{pair.asset_uid}", f"{pair.other_name}\n{pair.other_uid}")
        table.add_row(*uids, f"{pair.probability:.0%}", pair.evidence, decision)
    out.print(table)


@asset_commands.command("decide")
@connected
def decide(
    client: "RestClient",
    asset: Annotated[UUID, typer.Argument(help="Uid of one asset.", show_default=False)],
    other: Annotated[UUID, typer.Argument(help="Uid of the other.", show_default=False)],
    same: Annotated[bool, typer.Option("--same/--different", help="Whether they are one machine.", show_default=False)],
    as_json: bool = False,
) -> None:
    """Say whether two assets are one machine; it holds from the next inventory on."""
    from contracts.rest_assets import DuplicateDecisionBody, DuplicateView

    pair = client.post(f"/duplicates/{asset}/{other}/decide", DuplicateView, DuplicateDecisionBody(same=same))
    if as_json:
        print_json(pair.model_dump(mode="json"))
        return
    verb = "are one machine" if same else "are different machines"
    out.print(f"{pair.name} and {pair.other_name} {verb}. The engagement's next inventory heeds it.")


@asset_commands.command("split")
@connected
def split(client: "RestClient", asset: AssetName, rows: Rows, flow: Flow = None, as_json: bool = False) -> None:
    """Take rows out of an asset that are another machine; it becomes two, also in every later import."""
    from contracts.rest import AssetView
    from contracts.rest_assets import AssetSplitBody

    path = f"/assets/{_uid(client, asset, flow)}/split{f'?flow_id={flow}' if flow else ''}"
    before = client.post(path, AssetView, AssetSplitBody(source_rows=rows))
    if as_json:
        print_json(before.model_dump(mode="json"))
        return
    out.print(f"{before.name} becomes two assets, one of them made of {', '.join(rows)}.", markup=False)


def _uid(client: "RestClient", asset: str, flow: UUID | None) -> UUID:
    """The uid of an asset that is named, or given by its uid; only one asset may have the name."""
    from contracts.rest import AssetView

    try:
        return UUID(asset)
    except ValueError:
        named = [
            one for one in client.items("/assets", AssetView, {"name": asset, "flow_id": flow}) if one.name == asset
        ]
    if len(named) != 1:
        uids = ", ".join(str(one.asset_uid) for one in named)
        detail = f"Several assets are called {asset}: {uids}." if named else f"No asset is called {asset}."
        raise CommandFailed(f"{detail} Give the uid.", code="asset_not_found")
    return named[0].asset_uid


def _told(client: "RestClient", uid: UUID, flow: UUID | None) -> "AssetOriginView":
    from contracts.rest_assets import AssetOriginView

    origin = answered(
        "Reading the source rows again …",
        lambda: client.get(f"/assets/{uid}/origin", AssetOriginView, {"flow_id": flow}),
        lambda found: found.status == "asked",
        PATIENCE_SECONDS,
        CommandFailed(
            f"The origin of {uid} was not told in {PATIENCE_SECONDS} seconds. Look whether the field mapping "
            "service runs, and into `modernize dead-letters list`.",
            code="origin_not_told",
        ),
    )
    if origin.problem is not None:
        raise CommandFailed(origin.problem.detail, code=origin.problem.code)
    return origin
