"""The generic CMDB: an export that people kept by hand, and the clean-headed 30 columns of the import benchmark."""

from dataclasses import replace

from deploy.demo.columns import Cell, Column, Dialect, Entry, always
from deploy.demo.company import COMPANY, TODAY
from deploy.demo.dirt import Dirt

CLASSES = {"virtual": "Virtual Server", "physical": "Physical Server", "hypervisor": "ESX Host"}
ROLES = {
    "web": "Web Server",
    "app": "Application Server",
    "db": "Database Server",
    "infra": "Infrastructure",
    "host": "Hypervisor",
}
REMARKS = (
    "patched monthly",
    "owner to be confirmed",
    "migrated from old data center; see ticket",
    "do not reboot before 22:00",
    "Backup täglich",
    "asked business, no answer",
    'called "the old box"',
)


def _fqdn(entry: Entry, dirt: Dirt) -> Cell:
    return "" if dirt.happens(dirt.rates.label_missing) else entry.asset.fqdn


def _application(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.label(entry.asset.application.name) if entry.asset.application else ""


def _owner(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.label(entry.asset.application.business_owner) if entry.asset.application else ""


def _tier(entry: Entry, dirt: Dirt) -> Cell:
    if entry.asset.application is None:
        return ""
    level = entry.asset.application.criticality
    return dirt.one_of((str(level), f"Tier {level}", f"T{level}"))


def _database(entry: Entry, dirt: Dirt) -> Cell:
    return f"{entry.asset.database[0]} {entry.asset.database[1]}" if entry.asset.database else ""


def _database_size(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.storage(entry.asset.database_gb) if entry.asset.database else ""


def _serial(entry: Entry, dirt: Dirt) -> Cell:
    number = entry.asset.number
    if entry.asset.kind == "virtual":
        return f"VMware-42 1a {number >> 16 & 255:02x} {number >> 8 & 255:02x} {number & 255:02x} 5d"
    return f"CZ{number:08X}"


def _cost_center(entry: Entry, dirt: Dirt) -> Cell:
    return entry.asset.application.cost_center if entry.asset.application else "CC-1000"


def _remark(entry: Entry, dirt: Dirt) -> Cell:
    if dirt.happens(dirt.rates.remark_with_line_break):
        return "checked on site\nlabel missing; rack unknown"
    return dirt.dice.pick(REMARKS) if dirt.dice.roll() < 0.15 else ""


_BEFORE_GAP: tuple[Column[Entry], ...] = (
    Column("CI Number", ("asset_id",), lambda e, d: f"CI{e.record:07d}", identifies=True),
    Column("Server Name", ("hostname",), lambda e, d: e.name, identifies=True),
    Column("FQDN", ("fqdn",), _fqdn, identifies=True),
    Column("CI Class", ("asset_type",), lambda e, d: CLASSES[e.asset.kind]),
    Column("Status", ("lifecycle_status",), lambda e, d: d.status(e.asset)),
    Column("Environment", ("environment",), lambda e, d: d.environment(e.asset.environment)),
    Column("Application", ("application_name",), _application),
    Column("Server Role", ("server_role",), lambda e, d: ROLES[e.asset.role]),
    Column("IP Address", ("ip_address",), lambda e, d: e.asset.ip, identifies=True),
    Column("VLAN", ("network_segment",), lambda e, d: "VLAN" + e.asset.ip.split(".", 3)[2], optional=True),
    Column("Operating System", ("operating_system",), lambda e, d: d.operating_system(e.asset.os)),
    Column("CPU Cores", ("cpu_cores",), lambda e, d: d.number(e.asset.cpus), total=True),
    Column("RAM", ("memory_gb",), lambda e, d: d.memory(e.asset.memory_gb)),
    Column("Disk (GB)", ("storage_gb",), lambda e, d: d.storage(e.asset.storage_gb), total=True),
    Column("Disk Used (GB)", ("storage_used_gb",), lambda e, d: d.number(e.asset.used_gb), total=True),
    Column("CPU Avg %", ("cpu_utilization_pct",), lambda e, d: d.number(e.asset.cpu_percent)),
    Column("RAM Avg %", ("memory_utilization_pct",), lambda e, d: d.number(e.asset.memory_percent)),
    Column("Virtual", ("is_virtual",), lambda e, d: d.yes_no(e.asset.kind == "virtual")),
    Column("ESX Host", ("virtualization_host",), lambda e, d: e.asset.host),
    Column("Cluster", ("cluster",), lambda e, d: e.asset.cluster),
    Column("Data Center", ("datacenter",), lambda e, d: e.asset.site.name),
)
_AFTER_GAP: tuple[Column[Entry], ...] = (
    Column("Owner", ("business_owner", "technical_owner"), _owner, doubtful=True),
    Column("Tier", ("criticality", "dr_tier"), _tier, doubtful=True),
    Column("Database", ("database_engine", "database_name", "database_version"), _database, doubtful=True),
    Column("Size", ("database_size_gb",), _database_size, doubtful=True),
    Column("Cost Center", ("cost_center",), _cost_center),
    Column("Serial No.", ("serial_number",), _serial, identifies=True),
    Column("In Service Since", ("install_date",), lambda e, d: d.day(e.asset.installed)),
    Column("Last Scan", ("last_seen",), lambda e, d: d.day(e.asset.last_seen)),
    Column("Remarks", ("description",), _remark, optional=True),
)

CMDB = Dialect(
    name="cmdb",
    file_name="inventory.csv",
    columns=(*_BEFORE_GAP, Column("", (), always("")), *_AFTER_GAP, Column("Reserve 1", (), always(""))),
    title=f"CMDB export - {COMPANY} - as of {TODAY:%d.%m.%Y} - for internal use",
    totals=True,
    encoding="cp1252",
    delimiter=";",
)

_CLEAR_HEADERS = {
    "Owner": "Business Owner",
    "Tier": "Criticality",
    "Database": "Database Engine",
    "Size": "Database Size (GB)",
}
WIDE = Dialect(
    name="wide",
    file_name="inventory.csv",
    columns=tuple(
        replace(column, header=_CLEAR_HEADERS.get(column.header, column.header), doubtful=False)
        for column in (*_BEFORE_GAP, *_AFTER_GAP)
    ),
)
