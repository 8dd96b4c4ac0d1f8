"""Whether a new JSON Schema of an event still reads what the old one allowed, and still says what it promised."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

# Keywords that only inform: they may change freely.
INFORMING = {"$schema", "$id", "$defs", "title", "description", "examples", "default", "deprecated"}
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
COMPARED = {*UPPER, *LOWER, "type", "enum", "const", "properties", "required", "items", "anyOf", "additionalProperties"}


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What breaks a listener or a sender that knows only `old`, each with its place; empty if only options were added.

    Fields may be added if they are optional. Nothing is removed, narrowed, or newly required; nothing that was required
    becomes optional, and no value is added to a closed set, because listeners rely on both. For anything else a new
    event type that ends in `.v2` is due.
    """
    return list(_compared(old, new, old, new, "data", set()))


def _compared(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str, seen: set[tuple[str, str]]
) -> Iterator[str]:
    pair = (old.get("$ref", ""), new.get("$ref", ""))
    if any(pair):
        if pair in seen:
            return
        seen = {*seen, pair}
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    for keyword in ("type", "const", "enum"):
        before, after = _unordered(old.get(keyword)), _unordered(new.get(keyword))
        if before != after:
            yield f"{place}: {keyword} was {old.get(keyword)}, is {new.get(keyword)}"
    yield from _limits(old, new, place)
    yield from _fields(old, new, old_root, new_root, place, seen)
    yield from _inside(old, new, old_root, new_root, place, seen)
    for keyword in sorted({*old, *new} - COMPARED - INFORMING - {"$ref"}):
        if old.get(keyword) != new.get(keyword):
            yield f"{place}: {keyword} was {old.get(keyword)}, is {new.get(keyword)}"


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema that a local reference stands for; keywords beside the reference win."""
    if "$ref" not in schema:
        return schema
    target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**_resolved(target, root), **{key: value for key, value in schema.items() if key != "$ref"}}


def _unordered(value: Any) -> Any:
    return sorted(map(repr, value)) if isinstance(value, list) else value


def _limits(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for keywords, sign in ((UPPER, 1), (LOWER, -1)):
        for keyword in keywords:
            before, after = old.get(keyword), new.get(keyword)
            if after is not None and (before is None or sign * after < sign * before):
                yield f"{place}: {keyword} was {before}, is {after}"


def _fields(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str, seen: set[tuple[str, str]]
) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        if name not in after:
            yield f"{place}.{name}: was removed"
        else:
            yield from _compared(before[name], after[name], old_root, new_root, f"{place}.{name}", seen)
    required = (set(old.get("required", [])), set(new.get("required", [])))
    for name in sorted(required[1] - required[0]):
        yield f"{place}.{name}: is newly required"
    for name in sorted((required[0] - required[1]) & set(after)):
        yield f"{place}.{name}: is no longer required, but listeners rely on it"


def _inside(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str, seen: set[tuple[str, str]]
) -> Iterator[str]:
    for keyword, inner in (("items", f"{place}[]"), ("additionalProperties", f"{place}.*")):
        before, after = old.get(keyword), new.get(keyword)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _compared(before, after, old_root, new_root, inner, seen)
        elif after not in (None, True) and before != after:
            yield f"{inner}: was {before}, is {after}"
        elif isinstance(before, dict):
            yield f"{inner}: may now be anything"
    choices = (old.get("anyOf", []), new.get("anyOf", []))
    if len(choices[0]) != len(choices[1]):
        yield f"{place}: had {len(choices[0])} alternatives, has {len(choices[1])}"
    else:
        for before, after in zip(*choices, strict=True):
            yield from _compared(before, after, old_root, new_root, place, seen)
