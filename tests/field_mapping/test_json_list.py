"""A JSON document that is one list of objects: read as the parser of events reads it, or left to that."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.field_mapping import json_list
from services.field_mapping.json_list import NotPlain, plain_records

RECORDS = st.lists(
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.booleans(), st.text(max_size=8), st.lists(st.text()))),
    min_size=1,
)


def read(content: bytes, most_chars: int = 1_000, most_parts: int = 100) -> list[tuple[int, dict[str, object]]]:
    return list(plain_records(io.BytesIO(content), most_chars, most_parts))


@given(RECORDS, st.sampled_from([None, 1]), st.booleans(), st.integers(1, 20))
def test_records_come_back_wherever_the_chunks_end(
    records: list[dict[str, object]], indent: int | None, ascii_only: bool, chunk: int
) -> None:
    content = json.dumps(records, indent=indent, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_list, "_CHUNK_BYTES", chunk)
        assert read(content, most_chars=10**6, most_parts=10**6) == list(enumerate(records, start=1))


def test_numbers_stay_as_they_are_written() -> None:
    assert read(b'[{"a": 1.50, "b": 12345678901234567890123, "c": 1E5}]') == [
        (1, {"a": "1.50", "b": "12345678901234567890123", "c": "1E5"})
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[", b"[]", b"[1]", b'[{"a": 1}', b'[{"a": 1},]', b'[{"a": 1} {"a": 2}]', b'[{"a": 1}] x',
        b'[{"a": NaN}]', b'[{"a": "1', b'[{"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}]",
        b'[{"a": "' + b"x" * 2_000 + b'"}]', b'[{"a": [' + b"[]," * 120 + b"[]]}]",
    ],
)  # fmt: skip
def test_what_is_broken_or_too_large_is_left_to_those_who_can_say_so(content: bytes) -> None:
    with pytest.raises(NotPlain):
        read(content)
