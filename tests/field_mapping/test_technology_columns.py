"""Canonical products and releases in the inventory: beside the text, which stays; what is refused is listed."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.field_mapping import technology_columns
from services.field_mapping.technology_columns import with_technologies
from services.field_mapping.technology_names import Technology, recognise
from tests.field_mapping.source_tables import Cells, WholeInventory, inventory_of, source_table


def inventory(**columns: Cells) -> WholeInventory:
    names: Cells = [f"srv{number}" for number in range(len(next(iter(columns.values()))))]
    return inventory_of([source_table({"hostname": names, **columns})])


def test_product_and_release_stand_beside_the_text() -> None:
    built = inventory(
        operating_system=["Win srv 2k12 R2 std", "RHEL", None],
        os_version=[None, "8.6", "7"],
        database_engine=["ORACLE 11g RAC", "mystery store", None],
    )
    fields = ("operating_system", "operating_system_product", "operating_system_release", "database_engine_product")
    assert built.assets.sort("name").select(fields).rows() == [
        ("Win srv 2k12 R2 std", "Windows Server", "2012 R2", "Oracle Database"),
        ("RHEL", "Red Hat Enterprise Linux", "8", None),
        (None, None, None, None),
    ]
    assert built.assets_by_operating_system == {
        "Red Hat Enterprise Linux 8": 1,
        "Unknown": 1,
        "Windows Server 2012 R2": 1,
    }


def test_what_is_refused_is_listed_once_with_the_row_that_has_it_first() -> None:
    built = inventory(operating_system=["AIX 7.2", "Plan 9 from Bell Labs", "Plan 9 from Bell Labs", None])
    (problem,) = built.cell_problems.to_dicts()
    assert (problem["row"], problem["column"], problem["field"]) == (3, "operating_system", "operating_system")
    assert problem["raw"] == "Plan 9 from Bell Labs"
    assert "rows with this text: 2" in problem["reason"]
    assert built.assets["operating_system"].null_count() == 1
    assert built.quality.assets == 4


@pytest.mark.parametrize("text", ["Oracle", "web server", "Jenkins"])
def test_a_product_of_another_kind_is_no_operating_system(text: str) -> None:
    built = inventory(operating_system=[text])
    assert built.assets["operating_system_product"].to_list() == [None]
    assert built.cell_problems["raw"].to_list() == [text]


def test_a_role_that_is_a_function_is_not_listed_as_missed() -> None:
    built = inventory(server_role=["file server", "IIS 8.5"])
    assert sorted(built.assets["server_role_product"].to_list(), key=str) == ["Microsoft IIS", None]
    assert built.cell_problems.is_empty()


def test_every_distinct_text_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def counting(text: str, version: str | None = None) -> Technology | None:
        asked.append((text, version))
        return recognise(text, version)

    monkeypatch.setattr(technology_columns, "recognise", counting)
    frame = pl.DataFrame({"operating_system": ["RHEL", "AIX", "RHEL"] * 500, "os_version": ["7", "7.2", "7"] * 500})
    assert with_technologies(frame)["operating_system_release"].to_list() == ["7", "7.2", "7"] * 500
    assert sorted(asked) == [("AIX", "7.2"), ("RHEL", "7")]


def test_of_too_many_texts_the_most_frequent_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(technology_columns, "MOST_TEXTS", 1)
    frame = pl.DataFrame({"database_engine": ["MySQL", "DB2", "DB2"]})
    assert with_technologies(frame)["database_engine_product"].to_list() == [None, "IBM Db2", "IBM Db2"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.text(max_size=12) | st.sampled_from(["RHEL 7", "Win 2016"]), min_size=1, max_size=12))
def test_rows_and_texts_stay_as_they_are(texts: list[str | None]) -> None:
    frame = pl.DataFrame({"operating_system": pl.Series(texts, dtype=pl.String), "row": range(len(texts))})
    assert with_technologies(frame).select("operating_system", "row").equals(frame)
