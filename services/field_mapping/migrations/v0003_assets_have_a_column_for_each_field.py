"""Assets have a column for each field."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

FIELDS: dict[sa.types.TypeEngine[Any], str] = {
    sa.Text(): (
        "asset_id hostname vm_name fqdn asset_tag serial_number uuid description tags ip_address public_ip "
        "mac_address domain network_segment os_version architecture cpu_model hypervisor virtualization_host "
        "cluster power_state boot_type instance_type cloud_account cloud_region datacenter location "
        "server_role business_owner technical_owner support_group department company cost_center criticality "
        "dr_tier data_classification lifecycle_status dependencies database_name database_engine "
        "database_version manufacturer model migration_wave migration_strategy"
    ),
    sa.BigInteger(): "cpu_sockets cores_per_socket",
    sa.Double(): (
        "cpu_speed_mhz storage_used_gb cpu_utilization_pct memory_utilization_pct memory_used_gb disk_iops "
        "rto rpo database_size_gb cost"
    ),
    sa.Boolean(): "is_virtual",
    sa.Date(): "install_date eol_date",
    sa.DateTime(): "last_seen",
}
COLUMNS = [(name, kind) for kind, names in FIELDS.items() for name in names.split()]
NAMES = ", ".join(f'"{name}"' for name, _ in COLUMNS)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("assets", sa.Column(name, kind, nullable=True), schema="field_mapping")
    types = ", ".join(f'"{name}" {kind.compile(op.get_bind().dialect)}' for name, kind in COLUMNS)
    # The rows of every tenant are converted; the migration job forces the policy again at its end.
    op.execute("alter table field_mapping.assets no force row level security")
    op.execute(
        f"update field_mapping.assets set ({NAMES}) = (select {NAMES} from json_to_record(attributes) as fields({types}))"
    )
    op.drop_column("assets", "attributes", schema="field_mapping")


def downgrade() -> None:
    op.add_column(
        "assets", sa.Column("attributes", sa.JSON(), server_default="{}", nullable=False), schema="field_mapping"
    )
    op.execute("alter table field_mapping.assets no force row level security")
    op.execute(
        "update field_mapping.assets set attributes ="
        f" (select json_strip_nulls(row_to_json(fields)) from (select {NAMES}) as fields)"
    )
    op.alter_column("assets", "attributes", server_default=None, schema="field_mapping")
    for name, _ in COLUMNS:
        op.drop_column("assets", name, schema="field_mapping")
