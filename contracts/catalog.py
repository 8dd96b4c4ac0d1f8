"""The canonical asset fields: what every importer maps to and every analysis reads. 1 GB is 1,024 MB."""

import tomllib
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
