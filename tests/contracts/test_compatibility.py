"""The compatibility check itself, on pairs of small schemas."""

from typing import Any

import pytest

from tests.contracts.compatibility import breaking_changes

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": 9}
OPTIONAL: Schema = {"anyOf": [TEXT, {"type": "null"}], "default": None}


def of(required: list[str] | None = None, defs: Schema | None = None, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "required": required or []}
    return {**schema, "$defs": defs} if defs else schema


def listing(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


FINE = {
    "nothing changed": (of(["a"], a=TEXT), of(["a"], a=TEXT)),
    "an optional field was added": (of(["a"], a=TEXT), of(["a"], a=TEXT, b=OPTIONAL)),
    "an optional field was added inside a list": (
        of(a=listing(of(["x"], x=TEXT))),
        of(a=listing(of(["x"], x=TEXT, y=OPTIONAL))),
    ),
    "an optional field was added to a definition": (
        of(a=ref("A"), defs={"A": of(["x"], x=TEXT)}),
        of(a=ref("A"), defs={"A": of(["x"], x=TEXT, y=NUMBER)}),
    ),
    "words changed": (of(a={**TEXT, "title": "A", "description": "x"}), of(a={**TEXT, "title": "B"})),
    "a limit was loosened": (of(a=NUMBER), of(a={"type": "integer", "maximum": 10})),
    "a definition has another name": (
        of(a=ref("A"), defs={"A": of(x=TEXT)}),
        of(a=ref("B"), defs={"B": of(x=TEXT)}),
    ),
    "the order changed": (
        of(["a", "b"], a={"enum": ["x", "y"]}, b=TEXT),
        of(["b", "a"], b=TEXT, a={"enum": ["y", "x"]}),
    ),
    "a definition holds itself": (
        of(a=ref("A"), defs={"A": of(x=ref("A"))}),
        of(a=ref("A"), defs={"A": of(x=ref("A"), y=TEXT)}),
    ),
}

BROKEN = {
    "a field was removed": (of(a=TEXT, b=TEXT), of(a=TEXT), "data.b: was removed"),
    "a field was renamed": (of(a=TEXT), of(b=TEXT), "data.a: was removed"),
    "a required field was added": (of(a=TEXT), of(["b"], a=TEXT, b=TEXT), "data.b: is newly required"),
    "a field became required": (of(a=TEXT), of(["a"], a=TEXT), "data.a: is newly required"),
    "a field became optional": (of(["a"], a=TEXT), of(a=TEXT), "data.a: is no longer required"),
    "a type changed": (of(a=TEXT), of(a={"type": "integer"}), "data.a: type was string, is integer"),
    "a type was narrowed": (of(a={"type": "number"}), of(a={"type": "integer"}), "data.a: type"),
    "null is no longer allowed": (of(a=OPTIONAL), of(a=TEXT), "data.a: "),
    "null is newly allowed": (of(a=TEXT), of(a=OPTIONAL), "data.a: "),
    "a value was taken away": (of(a={"enum": ["x", "y"]}), of(a={"enum": ["x"]}), "data.a: enum"),
    "a value was added": (of(a={"enum": ["x"]}), of(a={"enum": ["x", "y"]}), "data.a: enum"),
    "a constant changed": (of(a={"const": "x"}), of(a={"const": "y"}), "data.a: const"),
    "an upper limit sank": (of(a=NUMBER), of(a={**NUMBER, "maximum": 8}), "data.a: maximum was 9, is 8"),
    "a lower limit rose": (of(a=NUMBER), of(a={**NUMBER, "minimum": 2}), "data.a: minimum was 1, is 2"),
    "a limit was added": (of(a=TEXT), of(a={**TEXT, "maxLength": 5}), "data.a: maxLength was None, is 5"),
    "a pattern was added": (of(a=TEXT), of(a={**TEXT, "pattern": "x"}), "data.a: pattern"),
    "a format was added": (of(a=TEXT), of(a={**TEXT, "format": "uuid"}), "data.a: format"),
    "items of a list changed": (of(a=listing(TEXT)), of(a=listing(NUMBER)), "data.a[]: type"),
    "values of a map changed": (
        of(a={"type": "object", "additionalProperties": TEXT}),
        of(a={"type": "object", "additionalProperties": NUMBER}),
        "data.a.*: type",
    ),
    "values of a map are anything": (
        of(a={"type": "object", "additionalProperties": TEXT}),
        of(a={"type": "object"}),
        "data.a.*: may now be anything",
    ),
    "further fields are forbidden": (of(a=TEXT), {**of(a=TEXT), "additionalProperties": False}, "data.*"),
    "a field deep inside was removed": (
        of(a=listing(ref("A")), defs={"A": of(x=ref("B")), "B": of(y=TEXT, z=TEXT)}),
        of(a=listing(ref("A")), defs={"A": of(x=ref("B")), "B": of(y=TEXT)}),
        "data.a[].x.z: was removed",
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_a_compatible_change_is_allowed(name: str) -> None:
    assert breaking_changes(*FINE[name]) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_breaking_change_is_reported_with_its_place(name: str) -> None:
    old, new, line = BROKEN[name]
    assert any(found.startswith(line) for found in breaking_changes(old, new)), breaking_changes(old, new)
