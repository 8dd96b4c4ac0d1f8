"""Imports that are refused as a whole, with the reason."""

from collections.abc import Sequence

import polars as pl

from contracts.discovery import TableProfile
from services.chassis.errors import ExpectedFailure


def check_rows(rows: int, quota: int | None, file_name: str) -> None:
    """Raise `ExpectedFailure` if an import has more rows than its engagement may import at once."""
    if quota is not None and rows > quota:
        raise ExpectedFailure(
            "quota_of_rows",
            f"With {file_name} the import has {rows:,} rows, and this engagement may import {quota:,} at once. Nothing "
            "was imported. Split it into several imports, or ask for more.",
            file_name=file_name,
        )


def no_assets(tables: Sequence[TableProfile], rejected: pl.DataFrame) -> ExpectedFailure:
    """Why no row of these tables became an asset, with the first row that was rejected as the example."""
    total = sum(table.row_count for table in tables)
    if rejected.is_empty():
        names = ", ".join(sorted({table.file_name for table in tables}))
        detail = f"All {total:,} rows of {names} are connections. Import the list of servers that they connect, too."
        return ExpectedFailure("no_assets", detail)
    first = rejected.row(0, named=True)
    return ExpectedFailure(
        "no_assets",
        f"None of the {total:,} rows became an asset. Row {first['row']:,} of {first['file_name']}: {first['reason']} "
        "Check which column was mapped to the host name.",
        file_name=first["file_name"],
        row=first["row"],
    )
