"""An import with more rows than its engagement may have fails as a whole; others go on."""

from contracts.configuration import ConfigurationChanged
from contracts.discovery import DataImportCompleted, DataImportFailed, DataImportRequested, ImportFile
from contracts.envelope import uuid7
from services.chassis.settings import Settings
from services.chassis.testing import some_tenant
from tests.field_mapping.running import a_field_mapping

FILE = "name,os\n" + "".join(f"web{number:02},Debian 12\n" for number in range(6))


async def test_the_rows_of_all_files_of_an_import_count_together(settings: Settings) -> None:
    limited, free = some_tenant(), some_tenant()
    async with a_field_mapping(settings) as field_mapping:
        await field_mapping.tell(
            ConfigurationChanged(
                tenant=limited,
                key="rows_per_import",
                version=1,
                is_set=True,
                value=10,
                changed_by="operator",
                reason="a test",
            )
        )
        for tenant in (limited, free):
            blob = await field_mapping.runtime.blobs.put_bytes(tenant, "uploads", FILE.encode(), "text/csv")
            files = [ImportFile(import_id=uuid7(), file_name=f"{name}.csv", file=blob) for name in ("east", "west")]
            for chosen in (files[:1], files):
                await field_mapping.tell(DataImportRequested(tenant=tenant, flow_id=uuid7(), files=chosen))
        problem = field_mapping.last(DataImportFailed).problem
        assert (problem.code, problem.file_name) == ("quota_of_rows", "west.csv")
        assert field_mapping.count(DataImportFailed) == 1
        assert field_mapping.count(DataImportCompleted) == 3
