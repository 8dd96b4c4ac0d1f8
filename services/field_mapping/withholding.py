"""What field mapping says of a sealed inventory: without its values, which lie sealed, and can be read again."""

from collections.abc import Iterable
from typing import TypeVar

from contracts.discovery import TableProfile, Value
from contracts.envelope import Tenant
from contracts.inventory_sealing import without_values
from services.chassis.frames import scan_frame
from services.chassis.work import Job
from services.field_mapping.profile import profile

V = TypeVar("V", bound=Value)


def withheld(values: Iterable[V]) -> list[V]:
    """Parts of an event as they leave the service: they quote no cell."""
    return [type(each).model_validate(without_values(each.model_dump(mode="json"))) for each in values]


async def with_samples(job: Job, tenant: Tenant, table: TableProfile) -> TableProfile:
    """A table with the samples of its columns, read again from its rows where the event left them out."""
    if all(column.samples or not column.filled for column in table.columns):
        return table
    async with scan_frame(job, tenant, table.rows) as rows:
        columns = await job.run(profile, rows)
    return table.model_copy(update={"columns": columns})
