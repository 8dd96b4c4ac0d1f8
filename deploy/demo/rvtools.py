"""The columns of RVTools' tabs vInfo and vHost; sizes are MiB, whatever the header says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from deploy.demo.cmdb import REMARKS
from deploy.demo.columns import Cell, Column, Dialect, Entry, always
from deploy.demo.company import COMPANY, DOMAIN, TODAY
from deploy.demo.dirt import Dirt
from deploy.demo.estate import Asset

MIB_PER_GB = 1024
VCENTER = f"vcsa01.{DOMAIN}"
VCENTER_UUID = "7d1f5a20-6c1e-4b3f-9a5c-118d2c0f6e77"


@dataclass(slots=True)
class HostLoad:
    """A hypervisor host and what runs on it."""

    host: Asset
    machines: int = 0
    cpus: int = 0
    memory_gb: int = 0


def _unmapped(*columns: tuple[str, Cell]) -> tuple[Column[Entry], ...]:
    return tuple(Column[Entry](header, (), always(value)) for header, value in columns)


def _off(entry: Entry) -> bool:
    return entry.asset.decommissioned


def _identity(prefix: str) -> Callable[[Entry, Dirt], Cell]:
    return lambda entry, _dirt: f"{prefix}-{entry.asset.number >> 16 & 0xFFFF:04x}-4b2c-9d55-{entry.asset.number:012x}"


def _folder(entry: Entry, dirt: Dirt) -> Cell:
    if _off(entry):
        return "_decommissioned"
    return (
        f"{entry.asset.application.department}/{entry.asset.application.name}"
        if entry.asset.application
        else "Discovered"
    )


def _in_folder(suffix: str) -> Callable[[Entry, Dirt], Cell]:
    return lambda entry, _dirt: f"[DS-{entry.asset.cluster}] {entry.asset.name}/{suffix.format(entry.asset.name)}"


def _annotation(entry: Entry, dirt: Dirt) -> Cell:
    if _off(entry):
        return f"decommissioned {dirt.day(entry.asset.last_seen)}, delete after 90 days"
    return dirt.dice.pick(REMARKS) if dirt.dice.roll() < 0.1 else ""


def _application(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.label(entry.asset.application.name) if entry.asset.application else ""


def _owner(entry: Entry, dirt: Dirt) -> Cell:
    return dirt.label(entry.asset.application.technical_owner) if entry.asset.application else ""


def _moment(day: date) -> str:
    return f"{day:%Y/%m/%d} 08:14:22"


_VINFO: tuple[Column[Entry], ...] = (
    Column("VM", ("vm_name", "hostname"), lambda e, d: e.name, identifies=True),
    Column("Powerstate", ("power_state",), lambda e, d: "poweredOff" if _off(e) else "poweredOn"),
    *_unmapped(("Template", "False"), ("SRM Placeholder", "False"), ("Config status", "green")),
    Column("DNS Name", ("fqdn", "hostname"), lambda e, d: e.asset.fqdn, identifies=True),
    *_unmapped(("Connection state", "connected")),
    Column("Guest state", ("power_state",), lambda e, d: "notRunning" if _off(e) else "running", optional=True),
    Column("Heartbeat", (), lambda e, d: "gray" if _off(e) else "green"),
    *_unmapped(("Consolidation Needed", "False")),
    Column("PowerOn", (), lambda e, d: "" if _off(e) else _moment(e.asset.installed)),
    *_unmapped(("Suspended To Memory", "False"), ("Suspend time", ""), ("Suspend Interval", 0)),
    Column("Creation date", ("install_date",), lambda e, d: _moment(e.asset.installed), optional=True),
    Column("Change Version", (), lambda e, d: f"{e.asset.last_seen}T08:14:20Z"),
    Column("CPUs", ("cpu_cores",), lambda e, d: d.number(e.asset.cpus), total=True),
    *_unmapped(("Overall Cpu Readiness", 0.4)),
    Column("Memory", ("memory_gb",), lambda e, d: d.number(e.asset.memory_gb * MIB_PER_GB), total=True),
    Column(
        "Active Memory",
        ("memory_used_gb",),
        lambda e, d: e.asset.memory_gb * MIB_PER_GB * e.asset.memory_percent // 100,
        optional=True,
        total=True,
    ),
    *_unmapped(("NICs", 1)),
    Column("Disks", (), lambda e, d: 2 + e.asset.number % 2),
    Column(
        "Total disk capacity MiB", ("storage_gb",), lambda e, d: d.number(e.asset.storage_gb * MIB_PER_GB), total=True
    ),
    *_unmapped(("Fixed Passthru HotPlug", "False"), ("min Required EVC Mode Key", "intel-broadwell")),
    *_unmapped(
        ("Latency Sensitivity", "normal"), ("Op Notification Timeout", 0), ("EnableUUID", "True"), ("CBT", "True")
    ),
    Column("Primary IP Address", ("ip_address",), lambda e, d: "" if _off(e) else e.asset.ip, identifies=True),
    Column("Network #1", ("network_segment",), lambda e, d: "VLAN" + e.asset.ip.split(".", 3)[2]),
    *(Column[Entry](f"Network #{number}", ("network_segment",), always(""), optional=True) for number in (2, 3, 4)),
    *_unmapped(("Num Monitors", 1), ("Video Ram KiB", 8192)),
    Column("Resource pool", (), lambda e, d: f"/{e.asset.site.name}/{e.asset.cluster}/Resources"),
    Column("Folder ID", (), lambda e, d: f"group-v{e.asset.application.number if e.asset.application else 1}"),
    Column("Folder", (), _folder),
    *_unmapped(
        ("vApp", ""), ("DAS protection", "True"), ("FT State", "notConfigured"), ("FT Role", ""), ("FT Latency", -1)
    ),
    *_unmapped(("FT Bandwidth", -1), ("FT Sec. Latency", -1), ("Vm Failover In Progress", "False")),
    Column(
        "Provisioned MiB",
        ("storage_gb",),
        lambda e, d: (e.asset.storage_gb + e.asset.memory_gb) * MIB_PER_GB,
        total=True,
    ),
    Column("In Use MiB", ("storage_used_gb",), lambda e, d: d.number(e.asset.used_gb * MIB_PER_GB), total=True),
    Column("Unshared MiB", (), lambda e, d: e.asset.used_gb * MIB_PER_GB - 4),
    *_unmapped(
        ("HA Restart Priority", "medium"),
        ("HA Isolation Response", "none"),
        ("HA VM Monitoring", "vmMonitoringDisabled"),
    ),
    *_unmapped(("Cluster rule(s)", ""), ("Cluster rule name(s)", ""), ("Boot Required", "True"), ("Boot delay", 0)),
    *_unmapped(("Boot retry delay", 10_000), ("Boot retry enabled", "False"), ("Boot BIOS setup", "False")),
    *_unmapped(("Reboot PowerOff", "False")),
    Column("EFI Secure boot", (), lambda e, d: "True" if e.asset.os.year >= 2016 else "False"),
    Column("Firmware", ("boot_type",), lambda e, d: "efi" if e.asset.os.year >= 2016 else "bios"),
    *_unmapped(("HW version", 19), ("HW upgrade status", "none"), ("HW upgrade policy", "never"), ("HW target", "")),
    Column("Path", (), _in_folder("{}.vmx")),
    *(Column[Entry](f"{kind} directory", (), _in_folder("")) for kind in ("Log", "Snapshot", "Suspend")),
    Column("Annotation", ("description",), _annotation),
    # RVTools appends a vCenter's custom attributes here, under the names that people gave them.
    Column("Application", ("application_name",), _application),
    Column("Stage", ("environment",), lambda e, d: d.environment(e.asset.environment)),
    Column("Owner", ("technical_owner", "business_owner"), _owner, doubtful=True),
    Column("Datacenter", ("datacenter",), lambda e, d: e.asset.site.name),
    Column("Cluster", ("cluster",), lambda e, d: e.asset.cluster),
    Column("Host", ("virtualization_host",), lambda e, d: e.asset.host),
    Column("OS according to the configuration file", ("operating_system",), lambda e, d: e.asset.os.vmware_name),
    Column(
        "OS according to the VMware Tools",
        ("operating_system",),
        lambda e, d: "" if _off(e) else e.asset.os.vmware_name,
    ),
    *_unmapped(("Customization Info", ""), ("Guest Detailed Data", "architecture='X86' bitness='64'")),
    Column("VM ID", ("asset_id",), lambda e, d: f"vm-{e.record}", optional=True, identifies=True),
    Column("SMBIOS UUID", ("uuid",), _identity("4210d9a1"), identifies=True),
    Column("VM UUID", ("uuid",), _identity("5010c2f0"), optional=True, identifies=True),
    *_unmapped(("VI SDK Server type", "VMware vCenter Server 8.0.2 build-22385739"), ("VI SDK API Version", "8.0.2.0")),
    *_unmapped(("VI SDK Server", VCENTER), ("VI SDK UUID", VCENTER_UUID)),
)

RVTOOLS = Dialect(
    name="rvtools",
    file_name="inventory.xlsx",
    columns=_VINFO,
    title=f"{COMPANY} - all virtual machines - {TODAY:%d.%m.%Y}",
    totals=True,
    virtual_only=True,
)


def _fixed(*columns: tuple[str, Cell]) -> tuple[Column[HostLoad], ...]:
    return tuple(Column[HostLoad](header, (), always(value)) for header, value in columns)


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 2)


VHOST: tuple[Column[HostLoad], ...] = (
    Column("Host", ("hostname", "fqdn"), lambda h, d: h.host.fqdn),
    Column("Datacenter", ("datacenter",), lambda h, d: h.host.site.name),
    Column("Cluster", ("cluster",), lambda h, d: h.host.cluster),
    *_fixed(("Config status", "green"), ("in Maintenance Mode", "False"), ("in Quarantine Mode", "False")),
    Column("CPU Model", ("cpu_model",), always("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz")),
    Column("Speed", ("cpu_speed_mhz",), always(2993)),
    *_fixed(("HT Available", "True"), ("HT Active", "True")),
    Column("# CPU", ("cpu_sockets",), always(2)),
    Column("Cores per CPU", ("cores_per_socket",), lambda h, d: h.host.cpus // 2),
    Column("# Cores", ("cpu_cores",), lambda h, d: h.host.cpus),
    Column("CPU usage %", ("cpu_utilization_pct",), lambda h, d: h.host.cpu_percent),
    Column("# Memory", ("memory_gb",), lambda h, d: h.host.memory_gb * MIB_PER_GB),
    Column("Memory usage %", ("memory_utilization_pct",), lambda h, d: h.host.memory_percent),
    *_fixed(("Console", ""), ("# NICs", 4), ("# HBAs", 2)),
    Column("# VMs total", (), lambda h, d: h.machines),
    Column("# VMs", (), lambda h, d: h.machines),
    Column("VMs per Core", (), lambda h, d: _ratio(h.machines, h.host.cpus)),
    Column("# vCPUs", (), lambda h, d: h.cpus),
    Column("vCPUs per Core", (), lambda h, d: _ratio(h.cpus, h.host.cpus)),
    Column("vRAM", (), lambda h, d: h.memory_gb * MIB_PER_GB),
    *_fixed(
        ("VM Memory Swapped", 0),
        ("VM Memory Ballooned", 0),
        ("VMotion support", "True"),
        ("Storage VMotion support", "True"),
    ),
    Column(
        "ESX Version", ("hypervisor", "os_version", "operating_system"), lambda h, d: f"{h.host.os.name} build-22380479"
    ),
    *_fixed(("DNS Servers", "10.16.1.10, 10.16.1.11"), ("DHCP", "False")),
    Column("Domain", ("domain",), lambda h, d: h.host.fqdn.split(".", 1)[1]),
    *_fixed(("NTP Server(s)", f"ntp1.{DOMAIN}"), ("NTPD running", "True"), ("Time Zone", "UTC"), ("GMT Offset", 0)),
    Column("Vendor", ("manufacturer",), always("HPE")),
    Column("Model", ("model",), always("ProLiant DL380 Gen10")),
    Column("Serial number", ("serial_number",), lambda h, d: f"CZJ{h.host.number:07X}"),
    *_fixed(("BIOS Vendor", "HPE"), ("BIOS Version", "U30")),
    Column("Object ID", ("asset_id",), lambda h, d: f"host-{h.host.number}", optional=True),
    Column("UUID", ("uuid",), lambda h, d: f"30393137-3136-5a43-4a30-{h.host.number:012x}"),
    *_fixed(("VI SDK Server", VCENTER), ("VI SDK UUID", VCENTER_UUID)),
)
