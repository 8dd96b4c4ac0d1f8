"""What a tool is: a name, typed arguments, and a function that works with the rights of one run's tenant."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.envelope import Tenant
from services.chassis.tenancy import TenantRow
from services.chassis.work import Job


class Arguments(BaseModel):
    """What a model may choose of a call; whose data it is about is never among it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Run:
    """For whom tools are called: the tenant comes from the run, and `job` reads that tenant's rows and files only."""

    tenant: Tenant
    job: Job
    task_id: UUID
    agent: str


@dataclass(frozen=True)
class Tool:
    """A tool of ours. `call` gives what JSON can say, in few rows; it raises `ExpectedFailure` with words for a model.

    It is offered where the tenant has rows in the table that it `needs`: one that could only say "nothing" is dear.
    """

    name: str
    description: str
    arguments: type[Arguments]
    call: Callable[[Run, Any], Awaitable[Any]]
    needs: type[TenantRow]
