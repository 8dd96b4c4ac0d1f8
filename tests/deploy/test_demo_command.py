"""The generator's command, and the wide inventory of the benchmark."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.demo import generate
from tests.deploy.test_demo_data import read_csv


def test_a_wide_inventory_has_thirty_clear_columns_and_no_frame(tmp_path: Path) -> None:
    truth = generate.write_wide_csv(tmp_path / "wide.csv", 400, columns=30, seed=1)
    rows = read_csv((tmp_path / "wide.csv").read_bytes(), "utf-8", ",")
    assert {len(row) for row in rows} == {30}
    assert len(rows) == 401
    assert truth["inventory"]["duplicate_rows"] > 0
    assert not any(column["doubtful"] or not column["fields"] for column in truth["columns"]["wide.csv"])


def test_a_wide_inventory_cannot_have_more_columns_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="columns must be from 1 to 30, not 31"):
        generate.write_wide_csv(tmp_path / "wide.csv", 400, columns=31)


@pytest.mark.parametrize("rows", [249, 1_000_001])
def test_rows_out_of_range_are_refused_and_nothing_is_written(tmp_path: Path, rows: int) -> None:
    with pytest.raises(ValueError, match="rows must be from 250 to 1,000,000"):
        generate.generate(tmp_path / "export", rows=rows, seed=7, dialect="cmdb")
    assert not (tmp_path / "export").exists()


def test_the_command_writes_the_export_and_says_where(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(generate.main)
    result = CliRunner().invoke(app, ["--rows", "250", "--out", str(tmp_path / "export")])
    assert result.exit_code == 0
    assert {file.name for file in (tmp_path / "export").iterdir()} == {
        "inventory.csv",
        "applications.csv",
        "connections.csv",
        "truth.json",
    }
