from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError

from services.agent_runner.reporting import sheets
from services.agent_runner.reporting.sheets import EXCEL_TEXT, make_formats, write_table
from services.agent_runner.reporting.workbook import OPTIONS, write_workbook
from tests.agent_runner.sample_plan import SamplePlan, sample_plan

# openpyxl says so of every workbook with data bars.
pytestmark = pytest.mark.filterwarnings("ignore:.*xtension is not supported:UserWarning")

SHEETS = ["Summary", "Waves", "Applications", "Assets", "Dependencies", "Data quality", "Field mapping"]
FORMULAS = ["=1+1", '=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "{=1}", "http://x.example", "\t=1"]


def written(plan: SamplePlan, path: Path) -> Any:
    write_workbook(
        plan.summarise(), plan.assets, plan.applications, plan.dependencies, plan.assessments, plan.plan, path
    )
    return openpyxl.load_workbook(path)


def round_trip(frame: pl.DataFrame, path: Path) -> Any:
    with Workbook(path, OPTIONS) as book:
        write_table(book, make_formats(book), "Rows", frame)
    return openpyxl.load_workbook(path)


def test_the_workbook_has_every_row_of_the_plan(tmp_path: Path) -> None:
    plan = sample_plan(2_400)
    book = written(plan, tmp_path / "report.xlsx")
    assert book.sheetnames == SHEETS
    rows = {name: book[name].max_row - 1 for name in SHEETS}
    assert rows["Assets"] == 2_400
    assert rows["Applications"] == plan.applications.height > 500
    assert rows["Dependencies"] == plan.dependencies.height
    assert rows["Waves"] == len(plan.waves)
    assert rows["Data quality"] == len(plan.report.quality.fields)


def test_assets_carry_their_application_wave_and_treatment(tmp_path: Path) -> None:
    plan = sample_plan(40)
    rows = written(plan, tmp_path / "report.xlsx")["Assets"].iter_rows(values_only=True)
    header = next(rows)
    assert header[:4] == ("Name", "Application", "Wave", "Strategy")
    member_of = {uid: row["name"] for row in plan.applications.iter_rows(named=True) for uid in row["asset_uids"]}
    assert all(row[1] == member_of[row[header.index("Asset uid")]] for row in rows)


def test_headers_stay_in_view_and_can_be_filtered(tmp_path: Path) -> None:
    book = written(sample_plan(40), tmp_path / "report.xlsx")
    for name in SHEETS[1:]:
        assert book[name].freeze_panes == "B2"
        assert book[name].auto_filter.ref.startswith("A1:")


def test_the_summary_has_native_charts_with_their_values(tmp_path: Path) -> None:
    path = tmp_path / "report.xlsx"
    written(sample_plan(200), path)
    with ZipFile(path) as archive:
        charts = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/charts/chart")]
    assert len(charts) == 5
    assert all("<c:v>" in chart and "Cache" in chart for chart in charts)


def test_a_workbook_of_nothing_can_be_opened(tmp_path: Path) -> None:
    book = written(sample_plan(0), tmp_path / "report.xlsx")
    assert book.sheetnames == SHEETS
    assert book["Assets"].max_row == 1


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.xlsx"
    plan = sample_plan(30)
    poisoned = SamplePlan(
        assets=plan.assets.with_columns(name=pl.lit(text), description=pl.lit(text)),
        applications=plan.applications.with_columns(name=pl.lit(text)),
        dependencies=plan.dependencies.with_columns(source_name=pl.lit(text), evidence=pl.lit(text)),
        assessments=plan.assessments.with_columns(reason=pl.lit(text)),
        plan=plan.plan,
        waves=[wave.model_copy(update={"name": text, "reason": text}) for wave in plan.waves],
        unplanned=plan.unplanned,
        report=plan.report.model_copy(update={"files": [text]}),
    )
    book = written(poisoned, path)
    assert book["Assets"]["A2"].value == text
    with ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/worksheets/")}
    assert not [name for name, part in parts.items() if "<f>" in part or "<hyperlink" in part]


def test_values_keep_their_types(tmp_path: Path) -> None:
    seen = datetime(2026, 5, 1, 12, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "cpu_cores": [4],
            "memory_gb": [7.5],
            "install_date": [date(2020, 2, 29)],
            "last_seen": [seen],
            "is_virtual": [True],
        }
    )
    cells = round_trip(frame, tmp_path / "t.xlsx")["Rows"][2]
    assert [cell.value for cell in cells] == [4, 7.5, datetime(2020, 2, 29), datetime(2026, 5, 1, 12), "yes"]  # noqa: DTZ001 - Excel has no time zones
    assert [cell.number_format for cell in cells[:4]] == ["#,##0", "#,##0.0", "yyyy-mm-dd", "yyyy-mm-dd hh:mm"]


def test_columns_are_called_as_in_the_catalogue_with_their_unit(tmp_path: Path) -> None:
    frame = pl.DataFrame({"memory_gb": [1.0], "cpu_cores": [1], "source_rows": ["a.csv:2"]})
    titles = [cell.value for cell in round_trip(frame, tmp_path / "t.xlsx")["Rows"][1]]
    assert titles == ["Memory (GB)", "CPU cores", "Source rows"]


def test_a_date_before_the_calendar_of_excel_is_written_as_text(tmp_path: Path) -> None:
    frame = pl.DataFrame({"install_date": [date(1899, 12, 31), date(1900, 1, 1)]})
    column = round_trip(frame, tmp_path / "t.xlsx")["Rows"]["A"]
    assert [cell.value for cell in column][1:] == ["1899-12-31", "1900-01-01"]


def test_text_longer_than_a_cell_is_cut_and_says_so(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": ["x" * 40_000, "y" * EXCEL_TEXT]})
    column = [cell.value for cell in round_trip(frame, tmp_path / "t.xlsx")["Rows"]["A"]][1:]
    assert len(column[0]) == EXCEL_TEXT
    assert column[0].endswith("[cut: longer than a cell can be]")
    assert column[1] == "y" * EXCEL_TEXT


def test_rows_beyond_a_full_sheet_go_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "EXCEL_ROWS", 4)
    book = round_trip(pl.DataFrame({"a": list(range(7))}), tmp_path / "t.xlsx")
    assert book.sheetnames == ["Rows", "Rows 2", "Rows 3"]
    values = [row[0] for name in book.sheetnames for row in book[name].iter_rows(min_row=2, values_only=True)]
    assert values == list(range(7))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), min_size=1)),
            st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)),
            st.one_of(st.none(), st.dates()),
        ),
        max_size=20,
    )
)
def test_any_value_can_be_written(tmp_path: Path, rows: list[tuple[str | None, float | None, date | None]]) -> None:
    schema = {"text": pl.String, "number": pl.Float64, "day": pl.Date}
    book = round_trip(pl.DataFrame(rows, schema=schema, orient="row"), tmp_path / "t.xlsx")
    texts = [text for text, _, _ in rows]
    read = [row[0] for row in book["Rows"].iter_rows(min_row=2, values_only=True)]
    assert [text for text in read if text is not None] == [text for text in texts if text is not None]


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileCreateError, match="missing"):
        written(sample_plan(3), tmp_path / "missing" / "report.xlsx")
