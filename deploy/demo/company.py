"""The invented company behind the demo data: Nordhafen Group, its sites, people, words and technology."""

from dataclasses import dataclass
from datetime import date

from deploy.demo.dice import spread

COMPANY = "Nordhafen Group"
DOMAIN = "nordhafen.example"  # RFC 2606 reserves .example, so no name here can belong to anybody
TODAY = date(2026, 11, 20)  # the day of the export; fixed, or the same seed would give other bytes tomorrow


@dataclass(frozen=True)
class Site:
    """A data center: its code in names, what a CMDB calls it, its city and the second octet of its networks."""

    code: str
    name: str
    city: str
    network: int


HAMBURG = Site("hbg", "DC-Hamburg-1", "Hamburg", 16)
MUNICH = Site("muc", "DC-München-1", "München", 48)
ZURICH = Site("zrh", "DC-Zürich-DR", "Zürich", 80)
KRAKOW = Site("krk", "DC-Kraków-1", "Kraków", 112)
SITES = (HAMBURG, MUNICH, ZURICH, KRAKOW)
HOME_SITES = spread({HAMBURG: 5, MUNICH: 3, KRAKOW: 2})
RECOVERY_SITE = ZURICH


@dataclass(frozen=True)
class OperatingSystem:
    """A release: what exports call it, its build, the year it came out and the day its regular support ends.

    Ends of support: Microsoft Lifecycle (extended end date), Red Hat Enterprise Linux Life Cycle (end of
    maintenance support), CentOS end of life, SUSE Product Lifecycle (end of general support), Ubuntu release cycle
    (end of standard support), Oracle Lifetime Support Policy for Solaris and IBM software lifecycle for AIX.
    """

    name: str
    spellings: tuple[str, ...]
    build: str
    year: int
    support_ends: date
    vmware_name: str

    @property
    def supported(self) -> bool:
        """Whether the vendor's regular support still runs on the day of the export."""
        return self.support_ends > TODAY

    @property
    def is_windows(self) -> bool:
        """Whether it belongs to the Windows Server family."""
        return self.name.startswith("Windows")


def _windows(release: str, build: str, year: int, ends: date) -> OperatingSystem:
    names = (
        f"Microsoft Windows Server {release} Standard",
        f"Win{release.replace(' ', '')}",
        f"windows server {release}",
    )
    vmware = f"Microsoft Windows Server {release} (64-bit)"
    return OperatingSystem(f"Windows Server {release}", names, build, year, ends, vmware)


def _red_hat(release: str, build: str, year: int, ends: date) -> OperatingSystem:
    names = (f"RHEL {build}", f"RHEL{release}", f"Red Hat Enterprise Linux Server {build}")
    vmware = f"Red Hat Enterprise Linux {release} (64-bit)"
    return OperatingSystem(f"Red Hat Enterprise Linux {release}", names, build, year, ends, vmware)


def _linux(name: str, spellings: tuple[str, ...], build: str, year: int, ends: date) -> OperatingSystem:
    return OperatingSystem(name, spellings, build, year, ends, f"{name.split('.')[0]} (64-bit)")


WINDOWS = spread(
    {
        _windows("2008 R2", "6.1.7601", 2009, date(2020, 1, 14)): 5,
        _windows("2012 R2", "6.3.9600", 2013, date(2023, 10, 10)): 17,
        _windows("2016", "10.0.14393", 2016, date(2027, 1, 12)): 30,
        _windows("2019", "10.0.17763", 2018, date(2029, 1, 9)): 26,
        _windows("2022", "10.0.20348", 2021, date(2031, 10, 14)): 22,
    }
)
LINUX = spread(
    {
        _red_hat("6", "6.10", 2010, date(2020, 11, 30)): 4,
        _red_hat("7", "7.9", 2014, date(2024, 6, 30)): 22,
        _red_hat("8", "8.10", 2019, date(2029, 5, 31)): 30,
        _red_hat("9", "9.4", 2022, date(2032, 5, 31)): 14,
        _linux("CentOS 7", ("CentOS Linux 7", "centos7"), "7.9.2009", 2014, date(2024, 6, 30)): 8,
        _linux("SUSE Linux Enterprise 12", ("SLES 12 SP5", "SLES12"), "12.5", 2014, date(2024, 10, 31)): 6,
        _linux("SUSE Linux Enterprise 15", ("SLES 15 SP6", "SLES15"), "15.6", 2018, date(2031, 7, 31)): 4,
        _linux("Ubuntu 18.04", ("Ubuntu 18.04 LTS", "ubuntu 18.04.6"), "18.04.6", 2018, date(2023, 5, 31)): 4,
        _linux("Ubuntu 22.04", ("Ubuntu 22.04 LTS", "ubuntu 22.04.4"), "22.04.4", 2022, date(2027, 4, 30)): 8,
    }
)
UNIX = spread(
    {
        _linux("AIX 7.1", ("IBM AIX 7.1", "AIX7.1"), "7100-05", 2010, date(2023, 4, 30)): 2,
        _linux("Solaris 11.4", ("Oracle Solaris 11.4", "SunOS 5.11"), "11.4", 2018, date(2034, 11, 30)): 1,
    }
)
ESX = spread(
    {
        _linux("VMware ESXi 7.0", ("ESXi 7.0 U3", "VMware ESXi 7.0.3"), "7.0.3", 2020, date(2025, 10, 2)): 2,
        _linux("VMware ESXi 8.0", ("ESXi 8.0 U2", "VMware ESXi 8.0.2"), "8.0.2", 2022, date(2027, 10, 11)): 3,
    }
)

# Engine, version, port and server process.
Database = tuple[str, str, int, str]
WINDOWS_DATABASES: tuple[Database, ...] = spread(
    {
        ("Microsoft SQL Server", "2012", 1433, "sqlservr.exe"): 2,
        ("Microsoft SQL Server", "2016", 1433, "sqlservr.exe"): 4,
        ("Microsoft SQL Server", "2019", 1433, "sqlservr.exe"): 4,
    }
)
LINUX_DATABASES: tuple[Database, ...] = spread(
    {
        ("Oracle Database", "11.2.0.4", 1521, "oracle"): 2,
        ("Oracle Database", "19c", 1521, "oracle"): 5,
        ("PostgreSQL", "10", 5432, "postgres"): 1,
        ("PostgreSQL", "15", 5432, "postgres"): 4,
        ("MySQL", "8.0", 3306, "mysqld"): 2,
        ("IBM Db2", "11.5", 50000, "db2sysc"): 1,
    }
)

SUBJECTS = (
    "Payroll", "Claims", "Freight", "Customs", "Warehouse", "Fleet", "Invoice", "Contract", "Customer", "Tariff",
    "Container", "Booking", "Pricing", "Treasury", "Ledger", "Procurement", "Recruiting", "Training", "Travel",
    "Expense", "Quality", "Maintenance", "Parts", "Energy", "Terminal", "Crane", "Vessel", "Manifest", "Policy",
    "Underwriting",
    "Partner", "Loyalty", "Campaign", "Document", "Archive", "Scanning", "Forecast", "Budget", "Audit", "Risk",
    "Safety", "Dispatch", "Tracking", "Returns", "Supplier", "Inspection", "Leasing",
)  # fmt: skip
PURPOSES = (
    "Portal", "Engine", "Service", "Hub", "Manager", "Reporting", "Gateway", "Desk", "Planner", "Registry", "Workbench",
    "Exchange", "Monitor", "Calculator", "Center", "Mobile",
)  # fmt: skip
REGIONS = ("", "DACH", "Nordics", "Benelux", "Iberia", "UK", "Poland", "Italy", "France", "Baltics", "Group")

FIRST_NAMES = (
    "Jörg", "Annika", "Björn", "Sabine", "Lukas", "Zoë", "Henrik", "Ewa", "Piotr", "Inês", "Mateo",
    "Céline", "Günther", "Katrin", "Øyvind", "Freya", "Tomasz", "Ursula", "Marco", "Chloé", "Dirk", "Elif", "Saskia",
    "René",
)  # fmt: skip
LAST_NAMES = (
    "Müller", "Schröder", "Lefèvre", "Kowalska", "Jansen", "Sørensen", "Weiß", "García", "Brandt", "Nilsson", "Vogel",
    "Öztürk", "Keller", "Rossi", "Hansen", "Wójcik", "Petersen", "Lindqvist", "Hofmann", "Moreau", "Bauer", "Peña",
)  # fmt: skip
DEPARTMENTS = ("Finance", "Human Resources", "Logistics", "Port Operations", "Insurance", "Sales", "Group IT", "Legal")
