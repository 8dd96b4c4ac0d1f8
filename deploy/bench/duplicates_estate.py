"""One estate as three tools export it, with the truth: which rows are the same machine.

The machines are those of the demo's company, which come in clusters of near-twins. A vCenter knows virtual machines by
UUID, a CMDB kept by hand has serial numbers for some, an agent sees what runs. None of their keys is everywhere, and
names are misspelled, machines renamed, addresses stale or used again, templates cloned with their UUID.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from uuid import UUID, uuid5

import polars as pl

from deploy.demo.dice import Dice
from deploy.demo.dirt import RATES, Dirt
from deploy.demo.estate import Asset
from deploy.demo.modelling import EstateModel

Cells = dict[str, str]
_NAMESPACE = UUID(int=11)


@dataclass(frozen=True)
class Faults:
    """How often each fault befalls a row, 0 to 1."""

    name_typing_error: float = 0.06  # letters swapped, left out, doubled or wrong
    name_spelled: float = 0.09  # "web_01", "WEB1", "web-O1"
    name_missing: float = 0.02  # an agent that reports by address
    renamed: float = 0.02  # the CMDB knows an earlier name
    address_stale: float = 0.06  # the CMDB has an address that another machine has now
    address_missing: float = 0.08
    uuid_missing: float = 0.1
    uuid_cloned: float = 0.02  # a template's
    serial_missing: float = 0.5
    serial_placeholder: float = 0.05
    repeated: float = 0.03  # the same machine twice in one export, each row with faults of its own
    size_measured: float = 0.5  # an agent sees 15.6 of 16 GB
    label_missing: float = 0.1


FAULTS = Faults()
NO_FAULTS = Faults(**{fault.name: 0.0 for fault in fields(Faults)})
_KNOWN_TO = {"vcenter": 0.95, "cmdb": 0.85, "agent": 0.7}
_PLACEHOLDERS = ("To be filled by O.E.M.", "0", "None", "Default string", "VMware")


@dataclass(frozen=True)
class Export:
    """One tool's rows, canonical field to text, and the machine that each row truly is."""

    name: str
    rows: pl.DataFrame
    machines: list[int]


class Exports:
    """Writes what each tool knows of a machine."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.dice = Dice("duplicates", seed)
        self.faults = faults
        self.dirt = Dirt(Dice("spellings", seed), RATES)
        self._before: Asset | None = None

    def of(self, asset: Asset) -> Iterator[tuple[str, Cells]]:
        """The rows of a machine, each with the tool it comes from."""
        writers: dict[str, Callable[[Asset], Cells]] = {
            "vcenter": self._vcenter,
            "cmdb": self._cmdb,
            "agent": self._agent,
        }
        for tool, write in writers.items():
            known = tool != "vcenter" or asset.kind == "virtual"
            if known and self._happens(_KNOWN_TO[tool]):
                for _ in range(1 + self._happens(self.faults.repeated)):
                    yield tool, write(asset)
        self._before = asset

    def _happens(self, rate: float) -> bool:
        return self.dice.roll() < rate

    def _vcenter(self, asset: Asset) -> Cells:
        cells = self._shared(asset) | {
            "vm_name": self._name(asset), "fqdn": asset.fqdn if self._happens(0.7) else "",
            "mac_address": _mac(asset), "operating_system": asset.os.vmware_name,
            "storage_gb": str(asset.storage_gb), "virtualization_host": asset.host, "cluster": asset.cluster,
            "datacenter": asset.site.name, "is_virtual": "true",
        }  # fmt: skip
        if not self._happens(self.faults.uuid_missing):
            cells["uuid"] = _uuid(self._before if self._before and self._happens(self.faults.uuid_cloned) else asset)
        return cells

    def _cmdb(self, asset: Asset) -> Cells:
        cells = self._shared(asset) | {
            "hostname": self._name(asset), "operating_system": self.dirt.operating_system(asset.os),
            "storage_gb": str(asset.storage_gb), "environment": self.dirt.environment(asset.environment),
            "datacenter": asset.site.name, "install_date": asset.installed.isoformat(),
            "asset_id": f"CI{int(self.dice.roll() * 1e9):09d}",
            "application_name": self._label(asset.application.name if asset.application else ""),
            "business_owner": self._label(asset.application.business_owner if asset.application else ""),
        }  # fmt: skip
        if self._happens(self.faults.renamed):
            cells["hostname"] = f"srv{asset.number * 7919 % 99_991:05d}"
        if self._before and self._happens(self.faults.address_stale):
            cells["ip_address"] = self._before.ip
        if not self._happens(self.faults.serial_missing):
            placeholder = self._happens(self.faults.serial_placeholder)
            cells["serial_number"] = self.dice.pick(_PLACEHOLDERS) if placeholder else _serial(asset)
        return cells

    def _agent(self, asset: Asset) -> Cells:
        cells = self._shared(asset) | {
            "hostname": "" if self._happens(self.faults.name_missing) else self._name(asset),
            "asset_id": f"AG{int(self.dice.roll() * 1e9):09d}",
            "mac_address": _mac(asset).replace(":", "-").upper(),
            "operating_system": self.dirt.operating_system(asset.os), "last_seen": asset.last_seen.isoformat(),
            "cpu_utilization_pct": str(asset.cpu_percent),
        }  # fmt: skip
        if self._happens(self.faults.size_measured):
            cells["memory_gb"] = f"{asset.memory_gb * 0.975:.1f}"
        if asset.kind != "virtual" and self._happens(0.5):
            cells["serial_number"] = _serial(asset)
        return cells

    def _shared(self, asset: Asset) -> Cells:
        address = "" if self._happens(self.faults.address_missing) else asset.ip
        return {"ip_address": address, "cpu_cores": str(asset.cpus), "memory_gb": str(asset.memory_gb)}

    def _label(self, text: str) -> str:
        return "" if self._happens(self.faults.label_missing) else self.dirt.label(text)

    def _name(self, asset: Asset) -> str:
        roll = self.dice.roll()
        if roll < self.faults.name_typing_error:
            return self._mistyped(asset.name)
        if roll < self.faults.name_typing_error + self.faults.name_spelled:
            return self.dice.pick(_spellings(asset.name))
        return self.dirt.name(asset)

    def _mistyped(self, name: str) -> str:
        letters = [place for place, letter in enumerate(name[:-1]) if letter.isalpha() and name[place + 1].isalpha()]
        place = self.dice.pick(letters)
        one, other = name[place], name[place + 1]
        kind = self.dice.pick(("swapped", "swapped", "left out", "doubled", "wrong"))
        middle = {"swapped": other + one, "left out": other, "doubled": one + one + other, "wrong": "x" + other}[kind]
        return name[:place] + middle + name[place + 2 :]


def _spellings(name: str) -> tuple[str, ...]:
    return name.replace("-", "_"), name.replace("-", "").upper(), name.replace("0", "O"), f"{name}."


def _uuid(asset: Asset) -> str:
    return str(uuid5(_NAMESPACE, f"uuid {asset.fqdn}"))


def _serial(asset: Asset) -> str:
    return f"CZJ{uuid5(_NAMESPACE, f'serial {asset.fqdn}').hex[:7].upper()}"


def _mac(asset: Asset) -> str:
    digits = uuid5(_NAMESPACE, f"mac {asset.fqdn}").hex[:6]
    return f"00:50:56:{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def exports(machines: int, seed: int, faults: Faults = FAULTS) -> list[Export]:
    """What three tools say of so many machines, each export in a random order."""
    writer = Exports(seed, faults)
    model = EstateModel(seed, expected_assets=machines, decommissioned=RATES.decommissioned)
    found: dict[str, list[tuple[int, Cells]]] = {tool: [] for tool in _KNOWN_TO}
    for number, asset in enumerate(_first(model, machines)):
        for tool, cells in writer.of(asset):
            found[tool].append((number, cells))
    return [_export(tool, rows, writer.dice) for tool, rows in found.items()]


def _first(model: EstateModel, machines: int) -> Iterator[Asset]:
    left = machines
    for block in model.blocks():
        yield from block.assets[:left]
        left -= len(block.assets)
        if left <= 0:
            return


def _export(tool: str, rows: list[tuple[int, Cells]], dice: Dice) -> Export:
    dice.shuffle(rows)
    names = dict.fromkeys(name for _, cells in rows for name in cells)
    frame = pl.DataFrame(
        {name: pl.Series([cells.get(name) or None for _, cells in rows], dtype=pl.String) for name in names}
    )
    return Export(tool, frame, [machine for machine, _ in rows])
