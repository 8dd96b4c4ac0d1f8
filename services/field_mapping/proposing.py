"""A proposal for a table that takes into account where it comes from and what its tenant taught."""

from collections.abc import Sequence

from contracts.discovery import TableMapping, TableProfile
from services.field_mapping.drift import renames
from services.field_mapping.matching import propose
from services.field_mapping.nearness import installed_nearness
from services.field_mapping.sources import KnownHeader, recognise
from services.field_mapping.verdicts import Knowledge, taught_for


def propose_known(table: TableProfile, headers: Sequence[KnownHeader], known: Knowledge) -> TableMapping:
    """The proposal, with the source that the table was recognised to come from and how its header changed."""
    source = recognise(table, headers)
    versions = [header.columns for header in headers if header.source_id == source.source_id]
    names = [column.name for column in table.columns]
    taught = taught_for(table.kind, source.source_id, renames(table.columns, versions), known, names)
    return propose(table, taught, nearness=installed_nearness()).model_copy(update={"source": source})
