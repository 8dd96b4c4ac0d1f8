"""JSON documents and lines of JSON: every list of objects is a table, nested values are dotted columns."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.envelope import Problem
from services.field_mapping.reading import FileRejected, ReadLimits, ReadTable, read_tables

Cells = dict[str, list[str | None]]


def read(folder: Path, content: bytes, limits: ReadLimits | None = None) -> list[ReadTable]:
    path = folder / "stored"
    path.write_bytes(content)
    return read_tables(path, "export.json", limits or ReadLimits())


def cells(folder: Path, content: bytes) -> Cells:
    (table,) = read(folder, content)
    assert (table.file_name, table.header_row) == ("export.json", 0)
    return table.frame.to_dict(as_series=False)


def refused(folder: Path, content: bytes, limits: ReadLimits | None = None) -> Problem:
    with pytest.raises(FileRejected) as caught:
        read(folder, content, limits)
    assert caught.value.problem.file_name == "export.json"
    return caught.value.problem


def test_a_list_of_objects_is_a_table_with_the_places_of_its_records(tmp_path: Path) -> None:
    content = b'[{"name": "web01", "cpus": 4}, {"owner": "Ann", "name": " db01 "}, {}]'
    assert cells(tmp_path, content) == {
        "_row": [1, 2],
        "name": ["web01", "db01"],
        "cpus": ["4", None],
        "owner": [None, "Ann"],
    }


def test_nested_values_become_dotted_columns_and_lists_one_cell(tmp_path: Path) -> None:
    record = {"os": {"name": "RHEL", "version": {"major": 8}}, "ips": ["10.0.0.1", "10.0.0.2"]}
    disks = {"disks": [{"gb": 40, "name": "sda"}, {"gb": 100}], "tags": []}
    assert cells(tmp_path, json.dumps([{**record, **disks}]).encode()) == {
        "_row": [1],
        "os.name": ["RHEL"],
        "os.version.major": ["8"],
        "ips": ["10.0.0.1; 10.0.0.2"],
        "disks.gb": ["40; 100"],
        "disks.name": ["sda"],
    }


def test_a_value_and_an_object_of_one_name_are_both_kept(tmp_path: Path) -> None:
    content = b'[{"os": "RHEL"}, {"os": {"name": "AIX"}}, {"os": null}, {"os.name": "HP-UX"}]'
    assert cells(tmp_path, content) == {
        "_row": [1, 2, 4],
        "os": ["RHEL", None, None],
        "os.name": [None, "AIX", "HP-UX"],
    }


def test_values_are_kept_as_they_are_written(tmp_path: Path) -> None:
    content = b'[{"a": 1.50, "b": true, "c": null, "d": 123456789012345678901234567890, "e": -0.0}]'
    assert cells(tmp_path, content) == {
        "_row": [1],
        "a": ["1.50"],
        "b": ["true"],
        "c": [None],
        "d": ["123456789012345678901234567890"],
        "e": ["-0.0"],
    }


def test_names_of_our_own_columns_and_blank_ones_are_told_apart(tmp_path: Path) -> None:
    content = b'[{"_row": 7, "_joined": "x", "": "y", " name ": "a"}]'
    assert cells(tmp_path, content) == {
        "_row": [1],
        "_row (2)": ["7"],
        "_joined (2)": ["x"],
        "column 3": ["y"],
        "name": ["a"],
    }


def test_every_list_in_an_object_is_a_table_named_by_its_path(tmp_path: Path) -> None:
    document = {
        "generated": "2024-01-01",
        "data": {"servers": [{"name": "web01"}, {"name": "db01"}], "applications": [{"application": "Payroll"}]},
        "errors": [],
        "next": ["a", "b"],
    }
    servers, applications = read(tmp_path, json.dumps(document).encode())
    assert (servers.sheet, servers.frame["name"].to_list()) == ("data.servers", ["web01", "db01"])
    assert (applications.sheet, applications.frame["application"].to_list()) == ("data.applications", ["Payroll"])
    (problem,) = servers.problems
    assert problem.code == "values_beside_table"
    assert "generated, next" in problem.detail


def test_an_object_without_a_list_of_objects_is_one_row(tmp_path: Path) -> None:
    assert cells(tmp_path, b'{"name": "web01", "ips": ["10.0.0.1"]}') == {
        "_row": [1],
        "name": ["web01"],
        "ips": ["10.0.0.1"],
    }


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    document = [{"name": "web01", "ort": "München"}, {"name": "db01", "ort": "Zürich"}]
    content = json.dumps(document, ensure_ascii=False).encode(encoding)
    assert cells(tmp_path, content)["ort"] == ["München", "Zürich"]


def test_lines_of_json_are_rows_with_their_line_numbers(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"name": "web01", "gb": 1.50}\r\n\r\n{"name": "db01", "serial": 123456789012345678901}\r\n'
    assert cells(tmp_path, content) == {
        "_row": [1, 3],
        "name": ["web01", "db01"],
        "gb": ["1.50", None],
        "serial": [None, "123456789012345678901"],
    }


@pytest.mark.parametrize("content", [b"[]", b"[ ]\n", b"[{}]", b'{"servers": []}', b'{"servers": [{}]}'])
def test_a_document_without_values_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content).code == "no_rows"


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (b'[{"name": "web01"}, {"name":', None),
        (b'[{"name": "web01"}] and more', None),
        (b'{"name": "web01"', None),
        (b'[{"name": "web01"}, {"cpus": NaN}]', None),
        (b'{"name": "web01"}\n{"name": "db01"\n{"name": "db02"}\n', 2),
        (b'{"name": "web01"}\n{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", 2),
    ],
)
def test_damage_is_refused_with_its_line(tmp_path: Path, content: bytes, row: int | None) -> None:
    problem = refused(tmp_path, content)
    assert (problem.code, problem.row) == ("broken_json", row)


@pytest.mark.parametrize(("content", "row"), [(b'[{"name": "a"}, 5]', 2), (b'{"name": "a"}\n{"b": 1}\n5\n', 3)])
def test_records_of_another_kind_are_refused_with_their_place(tmp_path: Path, content: bytes, row: int) -> None:
    problem = refused(tmp_path, content)
    assert (problem.code, problem.row) == ("not_a_table", row)


@pytest.mark.parametrize(
    "content",
    [
        b'[{"a": ' + b"[" * 1_000 + b"1" + b"]" * 1_000 + b"}]",
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
        b'[{"x": 1}, {"a": ' + b'{"a": ' * 60 + b"1" + b"}" * 60 + b"}]",
    ],
)
def test_values_inside_each_other_without_end_are_refused(tmp_path: Path, content: bytes) -> None:
    problem = refused(tmp_path, content)
    assert problem.code == "nested_too_deep"
    assert (problem.column or "").startswith("a")


@pytest.mark.parametrize(
    ("content", "code", "row"),
    [
        (b'[{"a": 1}, {"a": [' + b"1," * 4_000_000 + b"1]}]", "record_too_large", 2),
        (b'[{"a": ' + b"[" * 500_000 + b"]" * 500_000 + b"}]", "record_too_large", 1),
        (b'{"servers": [{"a": [' + b"1," * 4_000_000 + b"1]}]}", "record_too_large", None),
        (b'{"servers": [{"a": ' + b"[" * 500_000 + b"]" * 500_000 + b"}]}", "nested_too_deep", None),
        (b'{"a": "' + b"x" * 5_000_000 + b'"}', "record_too_large", None),
        (b'{"a": 1}\n{"a": "' + b"x" * 5_000_000 + b'"}\n', "record_too_large", 2),
    ],
    ids=["long list", "deep list", "long list below", "deep list below", "long object", "long line"],
)
def test_a_record_larger_than_any_asset_is_refused_before_it_is_held(
    tmp_path: Path, content: bytes, code: str, row: int | None
) -> None:
    problem = refused(tmp_path, content)
    assert (problem.code, problem.row) == (code, row)


def test_limits_on_rows_columns_and_cells_hold(tmp_path: Path) -> None:
    rows = json.dumps([{"name": f"web{number}", f"c{number}": "x" * number} for number in range(30)]).encode()
    for limits, code, row in [
        (ReadLimits(max_rows=20), "too_many_rows", 21),
        (ReadLimits(max_columns=20), "too_many_columns", 20),
        (ReadLimits(max_table_cells=500), "table_too_large", None),
        (ReadLimits(max_cell_chars=20), "cell_too_long", 22),
    ]:
        problem = refused(tmp_path, rows, limits)
        assert (problem.code, problem.row) == (code, row)
    many = json.dumps({f"c{number}": number for number in range(3_000)}).encode()
    assert refused(tmp_path, many).code == "too_many_columns"


KEYS = st.text(st.characters(codec="utf-8", exclude_characters=".", exclude_categories=["Cc", "Cs"]), max_size=4)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4))
RECORDS = st.lists(st.dictionaries(KEYS, st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), max_size=3), max_size=6)


def texts(value: object) -> list[str]:
    """What of a value must be found again in its cell."""
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    if value is None:
        return []
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return [text.replace("\0", "\ufffd").strip()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(RECORDS, st.booleans())
def test_no_record_and_no_value_is_lost(tmp_path: Path, records: list[dict[str, object]], lines: bool) -> None:
    written = [json.dumps(record) for record in records]
    content = "\n".join(written) + "\n" if lines and len(records) > 1 else f"[{', '.join(written)}]"
    filled = {
        at: record for at, record in enumerate(records, start=1) if any("".join(texts(v)) for v in record.values())
    }
    if not filled:
        assert refused(tmp_path, content.encode()).code == "no_rows"
        return
    (table,) = read(tmp_path, content.encode())
    rows = {row["_row"]: "; ".join(v for v in row.values() if isinstance(v, str)) for row in table.frame.to_dicts()}
    assert set(filled) <= set(rows) <= set(range(1, len(records) + 1))
    for at, record in filled.items():
        for value in record.values():
            assert all(text in rows[at] for text in texts(value) if text), (record, rows[at])
