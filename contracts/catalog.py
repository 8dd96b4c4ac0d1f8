"""The canonical asset fields: what every importer maps to and every analysis reads. 1 GB is 1,024 MB."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

FieldType = Literal[
    "string",
    "text",
    "map",
    "ip",
    "mac",
    "enum",
    "integer",
    "number",
    "boolean",
    "person",
    "date",
    "datetime",
    "duration",
    "list",
]
Importance = Literal["required", "high", "medium", "low"]
AssetType = Literal["any", "application", "database", "host", "network", "server", "storage", "vm"]


class CatalogField(BaseModel):
    """One canonical field: what it means, its type and unit, what has it, and how much a migration depends on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    label: str
    description: str
    type: FieldType
    importance: Importance
    unit: str | None = None
    asset_types: tuple[AssetType, ...]


def _load() -> dict[str, CatalogField]:
    data = tomllib.loads(files("contracts").joinpath("catalog.toml").read_text(encoding="utf-8"))
    return {field_id: CatalogField(id=field_id, **entry) for field_id, entry in data.items()}


CATALOG: dict[str, CatalogField] = _load()

# How a canonical type is stored in claim-check Parquet files; every other type is a string.
COLUMN_TYPES: dict[FieldType, str] = {
    "integer": "Int64",
    "number": "Float64",
    "boolean": "Boolean",
    "date": "Date",
    "datetime": "Datetime",
    "duration": "Float64",
}

# What columns of a table of connections can mean: id and label.
CONNECTION_FIELDS: Mapping[str, str] = {
    "source": "Source",
    "target": "Destination",
    "source_ip": "Source IP address",
    "target_ip": "Destination IP address",
    "source_application": "Source application",
    "target_application": "Destination application",
    "port": "Destination port",
    "protocol": "Protocol",
    "process": "Process",
    "observations": "Observations",
}

# The units in which bare numbers of a field's columns may be, by the unit of the field.
SOURCE_UNITS: Mapping[str, tuple[str, ...]] = {
    "GB": ("bytes", "KB", "MB", "MiB", "GB", "GiB", "TB", "TiB"),
    "MHz": ("Hz", "MHz", "GHz"),
    "hours": ("seconds", "minutes", "hours", "days"),
    "%": ("%", "ratio"),
}


def unit_called(text: str) -> str | None:
    """The unit that is written so, whatever the case; None for one that no field takes."""
    known = {unit.lower(): unit for units in SOURCE_UNITS.values() for unit in units}
    return known.get(text.strip().lower())


def units_of(field: str | None) -> tuple[str, ...]:
    """The units in which a column that means this field may be; none for fields without."""
    unit = CATALOG[field].unit if field in CATALOG else None
    return SOURCE_UNITS.get(unit or "", ())
