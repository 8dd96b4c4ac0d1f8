"""The two tables beside the inventory: the application list and the observed connections."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.demo.columns import Cell, Column
from deploy.demo.company import TODAY
from deploy.demo.dirt import Dirt
from deploy.demo.estate import Application, Asset, Connection

APPLICATIONS_FILE = "applications.csv"
CONNECTIONS_FILE = "connections.csv"
SPLIT_CHANCE = 0.15  # connections that were seen in two time slots
CRITICALITIES = (
    ("Mission critical", "1 - Mission critical", "mission-critical"),
    ("Business critical", "2 - Business critical", "business-critical"),
    ("Business operational", "3 - Business operational", "operational"),
    ("Administrative", "4 - Administrative", "low"),
)


def _cost(application: Application, dirt: Dirt) -> Cell:
    """Euros, now and then with the separators that German spreadsheets show."""
    if dirt.happens(dirt.rates.size_with_unit):
        return f"{application.yearly_cost:,},00".replace(",", ".", f"{application.yearly_cost:,}".count(","))
    return dirt.number(application.yearly_cost)


# RTO and RPO carry their unit in the header, as most lists do.
APPLICATION_COLUMNS: tuple[Column[Application], ...] = (
    Column("Application ID", ("asset_id",), lambda a, d: f"APM{a.number:07d}"),
    Column("Application Name", ("application_name",), lambda a, d: a.name),
    Column("Department", ("department",), lambda a, d: d.label(a.department)),
    Column("Business Owner", ("business_owner",), lambda a, d: d.label(a.business_owner)),
    Column("IT Owner", ("technical_owner",), lambda a, d: d.label(a.technical_owner)),
    Column("Business Criticality", ("criticality",), lambda a, d: d.one_of(CRITICALITIES[a.criticality - 1])),
    Column("Data Classification", ("data_classification",), lambda a, d: d.label(a.classification)),
    Column("Lifecycle", ("lifecycle_status",), lambda a, d: a.lifecycle),
    Column("Sourcing", (), lambda a, d: a.sourcing),
    Column("RTO (h)", ("rto",), lambda a, d: d.number(a.rto_hours)),
    Column("RPO (h)", ("rpo",), lambda a, d: d.number(a.rpo_hours)),
    Column("Go-Live", ("install_date",), lambda a, d: d.day(a.went_live), optional=True),
    Column("Annual Cost (EUR)", ("cost",), _cost),
    Column("Dependencies", ("dependencies",), lambda a, d: ", ".join(a.dependencies)),
)


def application_rows(application: Application, dirt: Dirt) -> Iterator[list[Cell]]:
    """One row, or two where the list names the application twice."""
    yield [column.write(application, dirt) for column in APPLICATION_COLUMNS]
    if dirt.happens(dirt.rates.duplicate_application):
        row = [column.write(application, dirt) for column in APPLICATION_COLUMNS]
        row[1] = dirt.dice.pick((application.name.upper(), f"{application.name} "))
        yield row


@dataclass(slots=True)
class Sighting:
    """One row of the connections file."""

    connection: Connection
    slot: str
    source_name: str
    target_name: str
    observations: int

    @property
    def target_application(self) -> str:
        """The application at the far end, where it is in the estate and has one."""
        return _application(self.connection.target)


# The columns of Azure Migrate's dependency export, with the source's address, the protocol and a count added.
CONNECTION_COLUMNS: tuple[Column[Sighting], ...] = (
    Column("Timeslot", (), lambda s, d: s.slot),
    Column("Source server name", ("source",), lambda s, d: s.source_name),
    Column("Source IP", ("source",), lambda s, d: s.connection.source.ip, optional=True),
    Column("Source application", (), lambda s, d: _application(s.connection.source)),
    Column("Source process", ("process",), lambda s, d: s.connection.source_process, optional=True),
    Column("Destination server name", ("target",), lambda s, d: s.target_name),
    Column("Destination IP", ("target",), lambda s, d: _address(s.connection.target), optional=True),
    Column("Destination application", (), lambda s, d: s.target_application),
    Column("Destination process", ("process",), lambda s, d: s.connection.target_process),
    Column("Destination port", ("port",), lambda s, d: d.number(s.connection.port)),
    Column("Protocol", ("protocol",), lambda s, d: d.one_of((s.connection.protocol, s.connection.protocol.lower()))),
    Column("Connection count", ("observations",), lambda s, d: s.observations),
)


def connection_rows(connection: Connection, dirt: Dirt) -> Iterator[list[Cell]]:
    """The rows in which the connection was seen; their counts add up to its observations."""
    count = connection.observations
    counts = (count // 3, count - count // 3) if count > 1 and dirt.happens(SPLIT_CHANCE) else (count,)
    for hour, observations in enumerate(counts):
        nameless = dirt.happens(dirt.rates.endpoint_without_name)
        source = "" if nameless else dirt.name(connection.source)
        target = dirt.name(connection.target) if isinstance(connection.target, Asset) and not nameless else ""
        sighting = Sighting(connection, f"{TODAY} {8 + hour:02d}:00", source, target, observations)
        yield [column.write(sighting, dirt) for column in CONNECTION_COLUMNS]


def _application(end: Asset | str) -> str:
    return end.application.name if isinstance(end, Asset) and end.application else ""


def _address(end: Asset | str) -> str:
    return end.ip if isinstance(end, Asset) else end
