"""The dirt that real exports have, and how often: every rate is in the one table `Rates`."""

from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import lru_cache

from deploy.demo.company import OperatingSystem
from deploy.demo.dice import Dice
from deploy.demo.estate import Asset, Environment


@dataclass(frozen=True)
class Rates:
    """How often each kind of dirt appears: a share of rows or of the cells it can befall, 0 to 1."""

    duplicate_row: float = 0.04  # the same asset again, spelled differently
    row_without_name: float = 0.006  # nothing that could name the asset
    decommissioned: float = 0.035  # listed but gone, beside the servers of retired applications
    name_upper_case: float = 0.12
    name_as_fqdn: float = 0.05  # a fully qualified name where a short one belongs
    name_trailing_blank: float = 0.04
    label_respelled: float = 0.30  # application, environment, status, operating system: another common spelling
    label_missing: float = 0.03  # never the environment or the status, which the truth counts
    size_with_unit: float = 0.14  # "16 GB", "16GiB", "1,5 TB"
    size_in_mb: float = 0.10  # "16384 MB", and bare "16384" for memory
    date_other_format: float = 0.40  # 31.12.2024, 31/12/2024, 31-Dec-2024 or the day number of a spreadsheet
    wrong_type: float = 0.008  # a word or a broken formula where a number or a date belongs
    remark_with_line_break: float = 0.004
    endpoint_without_name: float = 0.03  # connections that were seen by address only
    duplicate_application: float = 0.02  # applications listed twice


RATES = Rates()
CLEAN = Rates(**{rate.name: 0.0 for rate in fields(Rates)})

WRONG_TYPES = ("n/a", "#REF!", "tbd", "?", "#N/A", "unknown", "-")
ENVIRONMENTS: dict[Environment, tuple[str, ...]] = {
    "production": ("Production", "PROD", "prod", "Prd"),
    "staging": ("Staging", "STAGE", "staging", "Pre-Production"),
    "test": ("Test", "TEST", "tst", "Testing"),
    "development": ("Development", "DEV", "dev", "Devel"),
    "disaster_recovery": ("Disaster Recovery", "DR", "dr", "DR site"),
}
LIVE = ("In Use", "in use", "Live", "Active")
GONE = ("Decommissioned", "decommissioned", "Retired", "Decomm.")
YES = ("Yes", "yes", "Y", "TRUE", "1")
NO = ("No", "no", "N", "FALSE", "0")
SPREADSHEET_EPOCH = date(1899, 12, 30)  # day 0 of spreadsheets' 1900 date system
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Dirt:
    """Spells true values the way an export would. `lost_cells` counts the values that nobody can recover."""

    def __init__(self, dice: Dice, rates: Rates) -> None:
        self.dice = dice
        self.rates = rates
        self.lost_cells = 0

    def happens(self, rate: float) -> bool:
        """Whether dirt of this rate befalls the cell or row at hand."""
        return self.dice.roll() < rate

    def name(self, asset: Asset) -> str:
        """A host name with case, domain and blanks as they come."""
        roll, rates = self.dice.roll(), self.rates
        if roll < rates.name_upper_case:
            return asset.name.upper()
        roll -= rates.name_upper_case
        if roll < rates.name_as_fqdn:
            return asset.fqdn
        roll -= rates.name_as_fqdn
        return f"{asset.name} " if roll < rates.name_trailing_blank else asset.name

    def another_name(self, asset: Asset, first: str) -> str:
        """A spelling of the host name that differs from `first`, for the second row of a duplicate."""
        return self.dice.pick(
            [name for name in (asset.name.upper(), asset.fqdn, f"{asset.name}  ", asset.name) if name != first]
        )

    def label(self, text: str) -> str:
        """A free text label: as it is, in another case, with blanks, or missing."""
        if self.happens(self.rates.label_missing):
            self.lost_cells += 1
            return ""
        if not self.happens(self.rates.label_respelled / 2):
            return text
        return self.dice.pick((text.upper(), text.lower(), f"{text} ", text.replace(" ", "  ", 1)))

    def one_of(self, spellings: tuple[str, ...]) -> str:
        """Mostly the first spelling, now and then one of the others."""
        return self.dice.pick(spellings[1:]) if self.happens(self.rates.label_respelled) else spellings[0]

    def environment(self, environment: Environment | None) -> str:
        """An environment in one of its spellings, or nothing where nobody knows it."""
        return self.one_of(ENVIRONMENTS[environment]) if environment else ""

    def status(self, asset: Asset) -> str:
        """Whether the machine is in use, in one of the spellings."""
        return self.one_of(GONE if asset.decommissioned else LIVE)

    def yes_no(self, value: bool) -> str:
        """A truth value in one of the spellings."""
        return self.one_of(YES if value else NO)

    def operating_system(self, system: OperatingSystem) -> str:
        """The product name, or how people and tools spell it."""
        return self.dice.pick(system.spellings) if self.happens(self.rates.label_respelled) else system.name

    def number(self, value: int) -> int | str:
        """A number, rarely a wrong type in its place."""
        return self._wrong() if self.happens(self.rates.wrong_type) else value

    def memory(self, gigabytes: int) -> int | str:
        """Memory without a unit in its header; a bare number above 1,024 means MB, as nothing here has as many GB."""
        return self._size(gigabytes, (f"{gigabytes * 1024} MB", str(gigabytes * 1024)))

    def storage(self, gigabytes: int) -> int | str:
        """Disk space; always with its unit where it is not in GB."""
        return self._size(gigabytes, (f"{gigabytes * 1024} MB", f"{gigabytes * 1024} MiB"))

    def day(self, day: date) -> str:
        """A date in ISO format or in one of the others; day before month wherever that matters."""
        roll, rates = self.dice.roll(), self.rates
        if roll < rates.wrong_type:
            return self._wrong()
        if roll - rates.wrong_type < rates.date_other_format:
            return self.dice.pick(_other_formats(day))
        return _iso(day)

    def _size(self, gigabytes: int, in_megabytes: tuple[str, ...]) -> int | str:
        roll, rates = self.dice.roll(), self.rates
        if roll < rates.wrong_type:
            return self._wrong()
        roll -= rates.wrong_type
        if roll < rates.size_in_mb:
            return self.dice.pick(in_megabytes)
        if roll - rates.size_in_mb < rates.size_with_unit:
            terabytes = f"{gigabytes / 1024:g}".replace(".", ",") + " TB"
            exact = gigabytes % 256 == 0 and gigabytes >= 1024
            return self.dice.pick((f"{gigabytes} GB", f"{gigabytes}GiB", terabytes if exact else f"{gigabytes}GB"))
        return gigabytes

    def _wrong(self) -> str:
        self.lost_cells += 1
        return self.dice.pick(WRONG_TYPES)


@lru_cache(maxsize=20_000)
def _iso(day: date) -> str:
    return day.isoformat()


@lru_cache(maxsize=20_000)
def _other_formats(day: date) -> tuple[str, ...]:
    dotted = f"{day.day:02d}.{day.month:02d}.{day.year}"
    slashed = f"{day.day:02d}/{day.month:02d}/{day.year}"
    worded = f"{day.day:02d}-{MONTHS[day.month - 1]}-{day.year}"
    serial = str((day - SPREADSHEET_EPOCH) // timedelta(days=1))
    return dotted, dotted, dotted, slashed, worded, serial
