"""Any event of any class, for Hypothesis."""

from datetime import UTC, datetime
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from contracts.envelope import Event

E = TypeVar("E", bound=Event)

# What JSON carries: no lone surrogates, no NaN.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WHOLE = st.integers(0, 2**53)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=3,
)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


def events(event_class: type[E]) -> st.SearchStrategy[E]:
    """Valid events of a class."""
    return models(event_class)


def models(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Valid instances of a pydantic model, each field by its annotation and limits."""
    fields = {name: values(field.annotation, field.metadata) for name, field in kind.model_fields.items()}
    return st.builds(kind, **fields)


def _texts(shortest: int, limits: list[Any]) -> st.SearchStrategy[str]:
    """Texts of at least this length, of the pattern that a limit may ask for."""
    pattern = next((found for limit in limits if (found := getattr(limit, "pattern", None))), None)
    if pattern is not None:
        return st.from_regex(pattern, fullmatch=True).map(lambda text: text[:40].rstrip("_"))
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=shortest, max_size=8)


def values(annotation: Any, limits: list[Any]) -> st.SearchStrategy[Any]:
    """Values that an annotation and its limits allow."""
    wanted = ("ge", "le", "min_length")
    bounds = {name: getattr(limit, name) for limit in limits for name in wanted if hasattr(limit, name)}
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: _texts(bounds.get("min_length", 0), limits),
        int: st.integers(bounds.get("ge", 0), bounds.get("le", 2**53)),
        float: st.floats(bounds.get("ge", -1e9), bounds.get("le", 1e9)),
        Decimal: st.decimals(0, 10**6, allow_nan=False, allow_infinity=False, places=6),
        datetime: TIMES,
        AwareDatetime: TIMES,
        UUID: st.uuids(),
        Any: JSON,
    }
    if annotation in simple:
        return simple[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return models(annotation)
    # The limits of `int | None` are those of its parts; those of a list are its own.
    inner = limits if get_origin(annotation) in (Union, UnionType) else []
    parts = [values(part, inner) for part in get_args(annotation) if get_origin(annotation) is not Literal]
    if get_origin(annotation) is list:
        return st.lists(*parts, min_size=bounds.get("min_length", 0), max_size=2)
    if get_origin(annotation) is dict:
        return st.dictionaries(*parts, max_size=2)
    return st.one_of(parts) if parts else st.from_type(annotation)
