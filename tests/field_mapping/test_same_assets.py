"""The same file gives the very same inventory: however fast it is made, and in pieces of whatever size."""

from hashlib import sha256

import polars as pl
import pytest

from deploy.demo.generate import write_wide_csv
from services.field_mapping.normalise import RULES_VERSION, SourceTable
from services.field_mapping.reading import read_tables
from tests.field_mapping.source_tables import WholeInventory, inventory_of, mapped, source_table

UNITS = {"memory_gb": "GB", "storage_gb": "GB", "storage_used_gb": "GB", "database_size_gb": "GB"}
# By the version of the rules that made it.
DIGESTS = {3: "e5cdaa627cb4f794f59c97ab79780bb30fd5cb2f2c7b6b491a404d5422847a54"}  # pragma: allowlist secret


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> SourceTable:
    """An export with the usual dirt, and each of its columns mapped to the field that it was written from."""
    path = tmp_path_factory.mktemp("export") / "inventory.csv"
    written = write_wide_csv(path, 1_500)["columns"][path.name]
    [read] = read_tables(path, path.name)
    fields = {column["header"]: column["fields"][0] for column in written if column["fields"]}
    mapping = [mapped(name, field, UNITS.get(field)) for name, field in fields.items()]
    columns = read.frame.drop("_row")
    return source_table({name: columns[name].to_list() for name in columns.columns}, mapping)


def test_rules_of_one_version_make_the_same_inventory(table: SourceTable) -> None:
    made = digest(inventory_of([table]))
    assert made == DIGESTS[RULES_VERSION], "a value, an origin or a figure is another one now: raise RULES_VERSION"


def test_the_size_of_the_pieces_changes_nothing(table: SourceTable) -> None:
    assert digest(inventory_of([table], size=97)) == digest(inventory_of([table]))


def digest(inventory: WholeInventory) -> str:
    """Of everything that is told of an inventory, in an order of its own."""
    frames = (inventory.assets, inventory.duplicates, inventory.rejected_rows, inventory.cell_problems)
    told = "".join(frame.select(sorted(frame.columns)).sort(pl.all()).write_ndjson() for frame in frames)
    return sha256(f"{told}{inventory.quality!r}{inventory.assets_by_operating_system}".encode()).hexdigest()
