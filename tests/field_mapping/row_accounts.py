"""What becomes of every row of a file: loaded, merged or rejected, and counted once."""

from collections import Counter
from pathlib import Path
from uuid import UUID, uuid5

import polars as pl

from contracts.claim_checks import JOINED_ROWS, ROW_NUMBER
from contracts.discovery import TableProfile
from contracts.envelope import BlobRef
from services.field_mapping.matching import propose
from services.field_mapping.normalise import SourceTable
from services.field_mapping.profile import profile
from services.field_mapping.reading import ReadLimits, ReadTable, read_tables
from services.field_mapping.table_kind import table_kind
from tests.field_mapping.source_tables import NAMESPACE, WholeInventory, inventory_of

_BLOB = BlobRef(key="a/b/c/d", sha256="0" * 64, size_bytes=1, media_type="application/vnd.apache.parquet")


def source(table: ReadTable, number: int) -> SourceTable:
    """A table as it goes into the inventory, with the mapping that would be proposed for it."""
    columns = profile(table.frame)
    described = TableProfile(
        table_id=uuid5(NAMESPACE, str(number)),
        import_id=UUID(int=2),
        file_name=table.file_name,
        sheet=table.sheet,
        kind=table_kind(columns),
        header_row=table.header_row,
        row_count=table.frame.height,
        columns=columns,
        rows=_BLOB,
    )
    return SourceTable(described, propose(described), table.frame.lazy())


def places(table: ReadTable) -> list[str]:
    """Where each row of a table stands, and the rows of other sheets that were joined to it."""
    start = f"{table.file_name}{f'/{table.sheet}' if table.sheet else ''}:"
    own = [f"{start}{number}" for number in table.frame[ROW_NUMBER]]
    joined: list[str] = table.frame[JOINED_ROWS].drop_nulls().to_list() if JOINED_ROWS in table.frame.columns else []
    return own + [place for several in joined for place in several.split("; ")]


def read_and_account(path: Path, file_name: str, limits: ReadLimits) -> tuple[list[ReadTable], WholeInventory]:
    """Read a file, build its inventory, and check that every row that was read is accounted for once."""
    tables = read_tables(path, file_name, limits)
    for table in tables:
        check_table(table)
    sources = [source(table, number) for number, table in enumerate(tables)]
    inventory = inventory_of(sources, size=7)
    check_rows(tables, sources, inventory)
    return tables, inventory


def check_table(table: ReadTable) -> None:
    """What `ReadTable` promises."""
    frame = table.frame
    assert not frame.is_empty()
    assert frame[ROW_NUMBER].dtype == pl.Int64
    numbers = frame[ROW_NUMBER].to_list()
    assert numbers == sorted(set(numbers))
    assert numbers[0] > table.header_row
    cells = frame.drop(ROW_NUMBER, JOINED_ROWS, strict=False)
    assert set(cells.dtypes) == {pl.String}
    for row in cells.iter_rows():
        filled = [cell for cell in row if cell is not None]
        assert filled
        assert all(cell and "\0" not in cell for cell in filled)
    assert table.left_out >= 0
    assert len(table.problems) <= 100


def check_rows(tables: list[ReadTable], sources: list[SourceTable], inventory: WholeInventory) -> None:
    """The rows that were read are those that were loaded or merged and those that were rejected."""
    rejected = Counter(
        f"{row['file_name']}{'/' + row['sheet'] if row['sheet'] else ''}:{row['row']}"
        for row in inventory.rejected_rows.iter_rows(named=True)
    )
    kept = Counter(
        place
        for frame in (inventory.assets, inventory.applications)
        for several in frame["source_rows"]
        for place in several.split("; ")
    )
    read: Counter[str] = Counter()
    connections = 0
    for table, each in zip(tables, sources, strict=True):
        found = Counter(places(table))
        if each.profile.kind != "connections":
            read += found
            continue
        lost = found & rejected
        rejected -= lost
        connections += found.total() - lost.total()
        counted = any(column.field == "observations" for column in each.mapping.columns)
        assert not counted, "the rows of such a table cannot be told from what they count"
    # The rows that were joined to a rejected one go with it, among its cells.
    for raw in inventory.rejected_rows["raw"]:
        if JOINED_ROWS in raw:
            rejected.update(places_in(raw))
    assert kept + rejected == read
    check_figures(sources, inventory)
    assert inventory.connections["observations"].sum() == connections


def check_figures(sources: list[SourceTable], inventory: WholeInventory) -> None:
    """The figures that people are shown count the rows of the files: assets, merged and rejected, and applications."""
    profiles = {each.profile.table_id: each.profile for each in sources if each.profile.kind != "connections"}
    applications = {str(uid) for uid, profile in profiles.items() if profile.kind == "applications"}
    listed = sum(rows.count("; ") + 1 for rows in inventory.applications["source_rows"])
    refused = inventory.rejected_rows["table_id"].is_in(list(applications)).sum()
    rows = sum(profile.row_count for profile in profiles.values())
    assert inventory.quality.rows_read + listed + refused == rows
    told = inventory.quality.assets + inventory.quality.duplicates_merged + inventory.quality.rows_rejected
    assert (told, inventory.quality.assets) == (inventory.quality.rows_read, inventory.assets.height)
    assert inventory.quality.duplicates_merged >= 0


def places_in(raw: str) -> list[str]:
    """The places that the cells of a rejected row name."""
    value = pl.DataFrame({"raw": [raw]}).select(pl.col("raw").str.json_path_match(f"$.{JOINED_ROWS}")).item()
    return value.split("; ") if value else []
