"""Examples of the REST models about configuration, for the OpenAPI document."""

from datetime import UTC, datetime

from pydantic import BaseModel

from contracts.configuration import SEPARATION_OF_DUTIES
from contracts.rest_configuration import ConfigurationBody, ConfigurationChange, ConfigurationPage, ConfigurationView

_WHY = "Their auditors ask for two pairs of eyes"
_VIEW = ConfigurationView(
    key=SEPARATION_OF_DUTIES.name,
    description=SEPARATION_OF_DUTIES.description,
    value=True,
    origin="client",
    default=False,
    value_schema=SEPARATION_OF_DUTIES.adapter.json_schema(),
    levels=list(SEPARATION_OF_DUTIES.levels),
    secret=False,
    read_by=list(SEPARATION_OF_DUTIES.read_by),
    level="client",
    version=1,
)

CONFIGURATION_EXAMPLES: tuple[BaseModel, ...] = (
    ConfigurationBody(value=True, reason=_WHY),
    _VIEW,
    ConfigurationPage(items=[_VIEW]),
    ConfigurationChange(
        version=1,
        changed_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
        changed_by="operator",
        reason=_WHY,
        is_set=True,
        secret=False,
        old=None,
        new=True,
    ),
)
