"""Writes a demo export of an invented company: a dirty inventory, its applications and connections, and the truth.

python -m deploy.demo.generate --rows 1000 --seed 7 --dialect cmdb --out DIR
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from deploy.demo import side_tables
from deploy.demo.cmdb import CMDB, WIDE
from deploy.demo.columns import Dialect
from deploy.demo.dice import Dice
from deploy.demo.dirt import RATES, Dirt, Rates
from deploy.demo.estate import Block
from deploy.demo.inventory import InventoryRows
from deploy.demo.modelling import EstateModel
from deploy.demo.rvtools import RVTOOLS, VHOST
from deploy.demo.servicenow import SERVICENOW
from deploy.demo.tables import TITLE_ROWS, Sheet, Table, csv_table, workbook
from deploy.demo.truth import Truth

MIN_ROWS, MAX_ROWS = 250, 1_000_000


class DialectName(StrEnum):
    """The sources whose exports can be imitated."""

    CMDB = "cmdb"
    SERVICENOW = "servicenow"
    RVTOOLS = "rvtools"


DIALECTS = {DialectName.CMDB: CMDB, DialectName.SERVICENOW: SERVICENOW, DialectName.RVTOOLS: RVTOOLS}


def generate(
    out: Path,
    *,
    rows: int,
    seed: int,
    dialect: str,
    rates: Rates = RATES,
    progress: Callable[[int], object] = lambda _rows: None,
) -> dict[str, Any]:
    """Write the inventory, applications.csv, connections.csv and truth.json into `out`, and return the truth.

    `rows` counts the inventory's data rows, duplicates and rows without a name included. `progress` hears how many of
    them are written. Raises `ValueError` for a number of rows outside 250 to 1,000,000 or an unknown dialect.
    """
    if not MIN_ROWS <= rows <= MAX_ROWS:
        raise ValueError(f"rows must be from {MIN_ROWS:,} to {MAX_ROWS:,}, not {rows:,}")
    source = DIALECTS[DialectName(dialect)]
    out.mkdir(parents=True, exist_ok=True)
    truth = Truth()
    dirt = Dirt(Dice("side tables", seed), rates)
    with _side_tables(out, truth) as (applications, connections):
        for block in _write_inventory(out / source.file_name, source, rows, seed, rates, truth):
            for application in block.applications:
                application_rows = list(side_tables.application_rows(application, dirt))
                truth.application_rows += len(application_rows)
                applications.writerows(application_rows)
            for connection in block.connections:
                connection_rows = list(side_tables.connection_rows(connection, dirt))
                truth.connection_rows += len(connection_rows)
                connections.writerows(connection_rows)
            progress(truth.inventory_rows)
    content = {"arguments": {"rows": rows, "seed": seed, "dialect": str(dialect)}, **truth.as_dict()}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (out / "truth.json").write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return content


def write_wide_csv(path: Path, rows: int, columns: int = 30, seed: int = 7) -> dict[str, Any]:
    """Write an inventory with clear headers, no title and no totals, but the usual dirt in its cells; return the truth.

    The columns are those of the CMDB dialect, the first `columns` of them. Raises `ValueError` when there are not as
    many. Writes nothing but `path`, in UTF-8 with commas.
    """
    if not 1 <= columns <= len(WIDE.columns):
        raise ValueError(f"columns must be from 1 to {len(WIDE.columns)}, not {columns}")
    truth = Truth()
    for _ in _write_inventory(path, replace(WIDE, columns=WIDE.columns[:columns]), rows, seed, RATES, truth):
        pass
    return truth.as_dict()


def _write_inventory(path: Path, dialect: Dialect, rows: int, seed: int, rates: Rates, truth: Truth) -> Iterator[Block]:
    """Write the inventory, and yield every block of the estate as far as it was written."""
    model = EstateModel(
        seed, expected_assets=rows, decommissioned=rates.decommissioned, virtual_only=dialect.virtual_only
    )
    dirt = Dirt(Dice("inventory", seed), rates)
    with _inventory_tables(path, dialect, truth) as (table, host_sheet):
        inventory = InventoryRows(table, dialect, dirt, truth, rows)
        for block in model.blocks():
            written = inventory.add(block)
            truth.count_block(written)
            yield written
            if inventory.full:
                break
        inventory.close()
        if host_sheet:
            for load in inventory.hosts():
                truth.hosts += 1
                host_sheet.writerows([[column.write(load, dirt) for column in VHOST]])
    truth.lost_cells = dirt.lost_cells


@contextmanager
def _inventory_tables(path: Path, dialect: Dialect, truth: Truth) -> Iterator[tuple[Table, Sheet | None]]:
    """The inventory's table, and the sheet of the hosts where the dialect has one."""
    truth.layout = {
        "file": path.name,
        "header_row": 1 + (TITLE_ROWS if dialect.title else 0),
        "totals_rows": int(dialect.totals),
    }
    if dialect is RVTOOLS:
        truth.describe_columns("vInfo", dialect.columns)
        truth.describe_columns("vHost", VHOST)
        with workbook(path) as book:
            machines = Sheet(book.add_worksheet("vInfo"), dialect.columns, dialect.title)
            yield machines, Sheet(book.add_worksheet("vHost"), VHOST)
        return
    truth.describe_columns(path.name, dialect.columns)
    truth.layout |= {"encoding": dialect.encoding, "delimiter": dialect.delimiter}
    encoding, delimiter = dialect.encoding, dialect.delimiter
    with csv_table(path, dialect.columns, encoding=encoding, delimiter=delimiter, title=dialect.title) as table:
        yield table, None


@contextmanager
def _side_tables(out: Path, truth: Truth) -> Iterator[tuple[Table, Table]]:
    """The tables of the applications and of the connections."""
    applications, connections = side_tables.APPLICATION_COLUMNS, side_tables.CONNECTION_COLUMNS
    truth.describe_columns(side_tables.APPLICATIONS_FILE, applications)
    truth.describe_columns(side_tables.CONNECTIONS_FILE, connections)
    with (
        csv_table(out / side_tables.APPLICATIONS_FILE, applications, encoding="utf-8-sig", delimiter=";") as first,
        csv_table(out / side_tables.CONNECTIONS_FILE, connections, encoding="utf-8", delimiter=",") as second,
    ):
        yield first, second


def main(
    out: Annotated[Path, typer.Option(help="Folder to write into; made if it is not there.")],
    rows: Annotated[int, typer.Option(min=MIN_ROWS, max=MAX_ROWS, help="Data rows of the inventory.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed and options give the same files.")] = 7,
    dialect: Annotated[DialectName, typer.Option(help="Whose export to imitate.")] = DialectName.CMDB,
) -> None:
    """Write a demo export: a dirty inventory, its applications and connections, and truth.json."""
    with Progress(transient=True) as bar:
        task = bar.add_task("Writing the inventory", total=rows)
        generate(out, rows=rows, seed=seed, dialect=dialect, progress=lambda done: bar.update(task, completed=done))
    for file in (
        DIALECTS[dialect].file_name,
        side_tables.APPLICATIONS_FILE,
        side_tables.CONNECTIONS_FILE,
        "truth.json",
    ):
        typer.echo(f"{out / file}: {(out / file).stat().st_size:,} bytes")


if __name__ == "__main__":
    typer.run(main)
