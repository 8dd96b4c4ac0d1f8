"""Which fields a migration of such assets cannot do without and no column provides."""

from contracts.catalog import CONNECTION_FIELDS
from contracts.discovery import TableMapping

_MACHINE = (
    "hostname", "ip_address", "operating_system", "cpu_cores", "memory_gb", "storage_gb", "application_name",
    "environment",
)  # fmt: skip
# Our judgement of what is the least to place, size and schedule one of these.
REQUIRED: dict[str, tuple[str, ...]] = {
    "server": _MACHINE,
    "vm": _MACHINE,
    "host": tuple(field for field in _MACHINE if field != "application_name"),
    "database": ("database_name", "database_engine", "application_name", "environment"),
    "application": ("application_name",),
    "network": ("hostname", "ip_address", "environment"),
    "storage": ("storage_gb", "environment"),
}
# Where no column has the host name, a machine is called by one of these.
_NAMES_OF_MACHINES = frozenset({"vm_name", "fqdn"})


def identify_missing_fields(mapping: TableMapping, asset_type: str | None = None) -> list[str]:
    """Ids of the fields that assets of a type need and no accepted column of the table has.

    `asset_type` is one of `REQUIRED`; left out, an application list is about applications and an inventory about
    servers. A doubtful column provides nothing until somebody confirms it. Connections need their two ends. Raises
    `ValueError` for an asset type that is not known.
    """
    provided = {column.field for column in mapping.columns if column.status == "accepted"}
    if mapping.kind == "connections":
        ends = ("source", "target")
        return [end for end in ends if provided.isdisjoint(field for field in CONNECTION_FIELDS if _is_of(field, end))]
    if not provided.isdisjoint(_NAMES_OF_MACHINES):
        provided.add("hostname")
    wanted = asset_type or ("application" if mapping.kind == "applications" else "server")
    if wanted not in REQUIRED:
        raise ValueError(f"{wanted!r} is not an asset type. Choose one of {', '.join(REQUIRED)}.")
    return [field for field in REQUIRED[wanted] if field not in provided]


def missing_by_asset_type(mapping: TableMapping) -> dict[str, list[str]]:
    """What is missing for each type of asset that a table of its kind may list."""
    if mapping.kind == "connections":
        return {"connection": identify_missing_fields(mapping)}
    types = ["application"] if mapping.kind == "applications" else [each for each in REQUIRED if each != "application"]
    return {asset_type: identify_missing_fields(mapping, asset_type) for asset_type in types}


def _is_of(field: str, end: str) -> bool:
    return field == end or field.startswith(f"{end}_")
