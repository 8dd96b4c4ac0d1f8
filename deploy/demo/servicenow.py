"""A list export of ServiceNow's server table (cmdb_ci_server), with the column names that its CSV exports use."""

import hashlib

from deploy.demo.cmdb import REMARKS
from deploy.demo.columns import Cell, Column, Dialect, Entry, always
from deploy.demo.company import COMPANY
from deploy.demo.dirt import Dirt

MEGABYTES_PER_GB = 1024


def _class(entry: Entry, dirt: Dirt) -> Cell:
    if entry.asset.kind == "hypervisor":
        return "cmdb_ci_esx_server"
    if entry.asset.os.is_windows:
        return "cmdb_ci_win_server"
    unix = {"AIX 7.1": "cmdb_ci_aix_server", "Solaris 11.4": "cmdb_ci_solaris_server"}
    return unix.get(entry.asset.os.name, "cmdb_ci_linux_server")


def _business_owner(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.label(entry.asset.application.business_owner) if entry.asset.application else ""


def _technical_owner(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.label(entry.asset.application.technical_owner) if entry.asset.application else ""


def _memory(entry: Entry, dirt: Dirt) -> Cell:
    """Plain MB, or with the thousands separator that a formatted list adds."""
    megabytes = entry.asset.memory_gb * MEGABYTES_PER_GB
    return f"{megabytes:,}" if dirt.happens(dirt.rates.size_with_unit) else dirt.number(megabytes)


def _moment(entry: Entry, dirt: Dirt) -> str:
    return f"{entry.asset.last_seen} {entry.asset.number % 24:02d}:{entry.record % 60:02d}:07"


def _sys_id(entry: Entry, dirt: Dirt) -> Cell:
    return hashlib.blake2b(str(entry.record).encode(), digest_size=16).hexdigest()


def _application(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.label(entry.asset.application.name) if entry.asset.application else ""


def _sockets(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.number(entry.asset.cpus if entry.asset.kind == "virtual" else 2)


def _cores_per_socket(entry: Entry, dirt: Dirt) -> Cell:
    return 1 if entry.asset.kind == "virtual" else max(entry.asset.cpus // 2, 1)


def _mac(entry: Entry, dirt: Dirt) -> Cell:
    number = entry.asset.number
    return f"00:50:56:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}"


def _manufacturer(entry: Entry, dirt: Dirt) -> Cell:
    return "VMware, Inc." if entry.asset.kind == "virtual" else "HPE"


def _department(entry: Entry, dirt: Dirt) -> Cell:
    return entry.asset.application.department if entry.asset.application else "Group IT"


def _group(entry: Entry, dirt: Dirt) -> Cell:
    return "Wintel Support" if entry.asset.os.is_windows else "Linux Operations"


def _serial(entry: Entry, dirt: Dirt) -> Cell:
    return f"{'VMware-42 1a' if entry.asset.kind == 'virtual' else 'CZ'} {entry.asset.number:08x}"


def _cost_center(entry: Entry, dirt: Dirt) -> Cell:
    return entry.asset.application.cost_center if entry.asset.application else "CC-1000"


def _remark(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.dice.pick(REMARKS) if dirt.dice.roll() < 0.1 else ""


SERVICENOW = Dialect(
    name="servicenow",
    file_name="inventory.csv",
    columns=(
        Column("name", ("hostname",), lambda e, d: e.name, identifies=True),
        Column("sys_class_name", ("asset_type",), _class),
        Column("sys_id", ("asset_id",), _sys_id, identifies=True),
        Column("asset_tag", ("asset_tag",), lambda e, d: f"P{1_000_000 + e.asset.number}", identifies=True),
        Column("serial_number", ("serial_number",), _serial, identifies=True),
        Column("manufacturer", ("manufacturer",), _manufacturer),
        Column(
            "model_id", ("model",), lambda e, d: "VMware7,1" if e.asset.kind == "virtual" else "ProLiant DL380 Gen10"
        ),
        Column("host_name", ("hostname",), lambda e, d: e.asset.name, identifies=True),
        Column("fqdn", ("fqdn",), lambda e, d: d.label(e.asset.fqdn), identifies=True),
        Column("dns_domain", ("domain",), lambda e, d: e.asset.fqdn.split(".", 1)[1]),
        Column("ip_address", ("ip_address",), lambda e, d: e.asset.ip, identifies=True),
        Column("mac_address", ("mac_address",), _mac, identifies=True),
        Column("os", ("operating_system",), lambda e, d: d.operating_system(e.asset.os)),
        Column("os_version", ("os_version",), lambda e, d: e.asset.os.build),
        Column("os_address_width", ("architecture",), always(64)),
        Column("cpu_count", ("cpu_sockets", "cpu_cores"), _sockets),
        Column("cpu_core_count", ("cores_per_socket", "cpu_cores"), _cores_per_socket),
        Column("cpu_name", ("cpu_model",), always("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz")),
        Column("cpu_speed", ("cpu_speed_mhz",), always(2993)),
        Column("ram", ("memory_gb",), _memory),
        Column("disk_space", ("storage_gb",), lambda e, d: d.storage(e.asset.storage_gb)),
        Column("virtual", ("is_virtual",), lambda e, d: "true" if e.asset.kind == "virtual" else "false"),
        Column("cluster_name", ("cluster",), lambda e, d: e.asset.cluster),
        Column("used_for", ("environment",), lambda e, d: d.environment(e.asset.environment)),
        Column(
            "operational_status",
            ("lifecycle_status",),
            lambda e, d: "Retired" if e.asset.decommissioned else "Operational",
        ),
        Column("install_status", ("lifecycle_status",), lambda e, d: d.status(e.asset)),
        Column("owned_by", ("business_owner",), _business_owner),
        Column("managed_by", ("technical_owner",), _technical_owner),
        Column("assigned_to", ("technical_owner",), _technical_owner, optional=True),
        Column("support_group", ("support_group",), _group),
        Column("department", ("department",), _department),
        Column("company", ("company",), always(COMPANY)),
        Column("cost_center", ("cost_center",), _cost_center),
        Column("gl_account", ("cost_center",), always(""), optional=True),
        Column("location", ("location",), lambda e, d: d.one_of((e.asset.site.city, e.asset.site.city.upper()))),
        Column("short_description", ("description",), _remark),
        Column("discovery_source", (), lambda e, d: d.one_of(("ServiceNow", "SG-SCCM", "Manual Entry"))),
        Column("first_discovered", (), lambda e, d: f"{e.asset.installed} 04:12:00"),
        Column("last_discovered", ("last_seen",), _moment),
        Column("install_date", ("install_date",), lambda e, d: d.day(e.asset.installed)),
        Column("warranty_expiration", (), lambda e, d: f"{e.asset.installed.year + 5}-12-31"),
        Column("po_number", (), always("")),
        Column("lease_id", (), always("")),
        Column("sys_created_by", (), always("mid.user")),
        Column("sys_updated_on", (), _moment),
        Column("sys_mod_count", (), lambda e, d: e.record % 211),
        # ServiceNow prefixes columns that a customer added with "u_".
        Column("u_application", ("application_name",), _application),
    ),
    encoding="utf-8-sig",
)
