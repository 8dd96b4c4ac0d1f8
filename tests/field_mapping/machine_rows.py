"""Rows of machines for tests of merging, from a few cells each."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import polars as pl

from services.field_mapping.cleaned_rows import ORDER, Rows
from services.field_mapping.identity import SOURCE
from services.field_mapping.merging import Known, merge_assets

NAMESPACE = UUID(int=7)
Row = Mapping[str, str | float | None]
SIZE: Row = {
    "cpu_cores": 4, "memory_gb": 16.0, "storage_gb": 200.0, "operating_system": "RHEL 8", "datacenter": "DC1",
}  # fmt: skip
# An estate around the rows at hand: what is rare and what is common has to come from somewhere.
OTHERS: list[Row] = [
    {
        "table": "cmdb" if number % 2 else "vcenter",
        "hostname": f"{('web', 'app', 'sql', 'mail')[number % 4]}{number:03d}",
        "ip_address": f"10.1.0.{number}",
        "mac_address": f"00:50:56:00:00:{number:02x}",
        "cpu_cores": (2, 4, 8)[number % 3],
        "memory_gb": (4.0, 8.0, 16.0, 32.0)[number % 4],
        "storage_gb": 50.0 + 10 * (number % 17),
        "operating_system": ("RHEL 8", "Windows Server 2019", "Ubuntu 22.04")[number % 3],
        "datacenter": ("DC1", "DC2")[number % 2],
    }
    for number in range(200)
]


@dataclass(frozen=True)
class MergedRows:
    """All assets in the order of their first rows, and the pairs of them that might be one."""

    assets: pl.DataFrame
    doubtful: pl.DataFrame


def merge(*rows: Row, known: Known | None = None) -> MergedRows:
    """The rows merged; the n-th stands at `f:n`, or in the table that its cell `table` names."""
    columns = dict.fromkeys(name for row in rows for name in row if name != "table")
    frame = pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, strict=False)
    frame = frame.with_columns(pl.col(name).cast(pl.String) for name in columns if frame[name].dtype == pl.Null)
    places = [f"{row.get('table', 'f')}:{number}" for number, row in enumerate(rows)]
    merged = merge_assets(Rows.of(frame.with_columns(pl.Series(SOURCE, places))), NAMESPACE, known)
    return MergedRows(pl.concat(merged.pieces(3)).sort(ORDER), merged.doubtful)


def known_from(assets: pl.DataFrame, *decisions: tuple[str, str, bool]) -> Known:
    """What an engagement knows after an import that found these assets."""
    schema = {"asset_uid": pl.String, "other_uid": pl.String, "same": pl.Boolean}
    return Known(assets.drop("source_rows", "name"), pl.DataFrame(list(decisions), schema=schema, orient="row"))
