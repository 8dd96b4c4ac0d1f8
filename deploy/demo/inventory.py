"""Turns blocks of the estate into inventory rows, exactly as many as asked for."""

from collections.abc import Iterator

from deploy.demo.columns import Cell, Dialect, Entry
from deploy.demo.dirt import Dirt
from deploy.demo.estate import Asset, Block
from deploy.demo.rvtools import HostLoad
from deploy.demo.tables import Table, Totals
from deploy.demo.truth import Truth

CHUNK_ROWS = 5_000  # rows that are shuffled together; also the bound on memory


class InventoryRows:
    """Writes `limit` rows of a dialect, dirt included, and keeps the truth about them."""

    def __init__(self, table: Table, dialect: Dialect, dirt: Dirt, truth: Truth, limit: int) -> None:
        self._table = table
        self._dialect = dialect
        self._dirt = dirt
        self._truth = truth
        self._room = limit
        self._record = 0
        self._chunk: list[list[Cell]] = []
        self._totals = Totals(dialect)
        self._hosts: dict[str, HostLoad] = {}

    @property
    def full(self) -> bool:
        """Whether all rows are there."""
        return self._room == 0

    def add(self, block: Block) -> Block:
        """Write the block's assets, and return it cut down to those that still had room."""
        for index, asset in enumerate(block.assets):
            if self.full:
                return block.cut(index)
            if asset.kind == "hypervisor" and self._dialect.virtual_only:
                self._hosts[asset.fqdn] = HostLoad(asset)
            else:
                self._add_asset(asset)
        return block

    def close(self) -> None:
        """Write what is left and the totals row."""
        self._flush()
        if self._dialect.totals:
            self._table.writerows([self._totals.row()])

    def hosts(self) -> Iterator[HostLoad]:
        """The hosts that do not stand in the inventory, with what the rows placed on them."""
        return (load for load in self._hosts.values() if load.machines)

    def _add_asset(self, asset: Asset) -> None:
        dirt, rates = self._dirt, self._dirt.rates
        self._truth.count_asset(asset)
        if load := self._hosts.get(asset.host):
            load.machines += 1
            load.cpus += asset.cpus
            load.memory_gb += asset.memory_gb
        lost_before = dirt.lost_cells
        name = dirt.name(asset)
        self._write(self._cells(asset, name))
        if not self.full and dirt.happens(rates.duplicate_row):
            self._truth.duplicate_rows += 1
            self._write(self._cells(asset, dirt.another_name(asset, name)))
        if dirt.lost_cells == lost_before:
            self._truth.refer_to(asset)
        if not self.full and dirt.happens(rates.row_without_name):
            self._truth.rows_without_name += 1
            cells = zip(self._dialect.columns, self._cells(asset, ""), strict=True)
            self._write(["" if column.identifies else cell for column, cell in cells])

    def _cells(self, asset: Asset, name: str) -> list[Cell]:
        self._record += 1
        return self._dialect.cells(Entry(asset, self._record, name), self._dirt)

    def _write(self, cells: list[Cell]) -> None:
        self._room -= 1
        self._totals.add(cells)
        self._chunk.append(cells)
        if len(self._chunk) == CHUNK_ROWS:
            self._flush()

    def _flush(self) -> None:
        self._dirt.dice.shuffle(self._chunk)
        self._table.writerows(self._chunk)
        self._chunk.clear()
