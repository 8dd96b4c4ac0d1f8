"""What is true about a generated export, so that tests of every importer can check their results against it."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from deploy.demo.columns import Column
from deploy.demo.estate import Asset, Block

REFERENCE_ASSETS = 100


class Truth:
    """Counts while an export is written; `as_dict` is the content of `truth.json`."""

    def __init__(self) -> None:
        self.distinct_assets = 0
        self.duplicate_rows = 0
        self.rows_without_name = 0
        self.decommissioned = 0
        self.out_of_support = 0
        self.hosts = 0
        self.lost_cells = 0
        self.application_rows = 0
        self.applications = 0
        self.applications_without_assets = 0
        self.declared_dependencies = 0
        self.links = 0
        self.connection_rows = 0
        self.observations = 0
        self.by_environment: Counter[str] = Counter()
        self.by_kind: Counter[str] = Counter()
        self.by_operating_system: Counter[str] = Counter()
        self.columns: dict[str, list[dict[str, Any]]] = {}
        self.layout: dict[str, Any] = {}
        self._reference: list[dict[str, Any]] = []
        self._move_groups: list[list[str]] = []
        self._application_links: set[tuple[int, int]] = set()

    @property
    def inventory_rows(self) -> int:
        """Data rows of the inventory so far."""
        return self.distinct_assets + self.duplicate_rows + self.rows_without_name

    def count_asset(self, asset: Asset) -> None:
        """Count one distinct asset of the inventory."""
        self.distinct_assets += 1
        self.decommissioned += asset.decommissioned
        self.out_of_support += not asset.os.supported
        self.by_environment[asset.environment or "unknown"] += 1
        self.by_kind[asset.kind] += 1
        self.by_operating_system[asset.os.name] += 1

    def refer_to(self, asset: Asset) -> None:
        """Keep the true values of an asset none of whose cells was lost; the first hundred stay."""
        if len(self._reference) < REFERENCE_ASSETS:
            self._reference.append(
                {
                    "name": asset.name,
                    "ip_address": asset.ip,
                    "environment": asset.environment,
                    "operating_system": asset.os.name,
                    "application_name": asset.application.name if asset.application else None,
                    "cpu_cores": asset.cpus,
                    "memory_gb": asset.memory_gb,
                    "storage_gb": asset.storage_gb,
                    "install_date": asset.installed.isoformat(),
                    "decommissioned": asset.decommissioned,
                }
            )

    def count_block(self, block: Block) -> None:
        """Count applications, dependencies and connections of a block that was written."""
        populated = {id(asset.application) for asset in block.assets}
        self.applications += len(block.applications)
        self.applications_without_assets += sum(id(application) not in populated for application in block.applications)
        self.declared_dependencies += sum(len(application.dependencies) for application in block.applications)
        self.links += len(block.connections)
        self.observations += sum(connection.observations for connection in block.connections)
        if block.coupled:
            self._move_groups.append([app.name for app in block.applications if id(app) in populated])
        for connection in block.connections:
            if isinstance(connection.target, Asset):
                left, right = connection.source.application, connection.target.application
                if left and right and left is not right and not right.shared:
                    self._application_links.add((left.number, right.number))

    def describe_columns(self, table: str, columns: Iterable[Column[Any]]) -> None:
        """Record what the columns of a table mean."""
        self.columns[table] = [
            {
                "header": column.header,
                "fields": list(column.fields),
                "may_stay_unmapped": column.optional or not column.fields,
                "doubtful": column.doubtful,
            }
            for column in columns
        ]

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "layout": self.layout,
            "inventory": {
                "rows": self.inventory_rows,
                "distinct_assets": self.distinct_assets,
                "duplicate_rows": self.duplicate_rows,
                "rows_without_name": self.rows_without_name,
                "decommissioned": self.decommissioned,
                "out_of_support": self.out_of_support,
                "lost_cells": self.lost_cells,
                "hosts_in_sheet_of_their_own": self.hosts,
                "by_environment": dict(sorted(self.by_environment.items())),
                "by_kind": dict(sorted(self.by_kind.items())),
                "by_operating_system": dict(sorted(self.by_operating_system.items())),
            },
            "applications": {
                "rows": self.application_rows,
                "distinct": self.applications,
                "without_assets": self.applications_without_assets,
                "declared_dependencies": self.declared_dependencies,
            },
            "connections": {
                "rows": self.connection_rows,
                "links": self.links,
                "observations": self.observations,
                "application_pairs": len(self._application_links),
            },
            "move_groups": self._move_groups,
            "columns": self.columns,
            "reference_assets": self._reference,
        }
