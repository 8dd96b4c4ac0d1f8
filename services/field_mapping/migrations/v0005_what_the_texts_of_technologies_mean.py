"""What the texts of technologies mean."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:

    op.add_column("assets", sa.Column("operating_system_product", sa.Text(), nullable=True), schema="field_mapping")
    op.add_column("assets", sa.Column("operating_system_release", sa.Text(), nullable=True), schema="field_mapping")
    op.add_column("assets", sa.Column("database_engine_product", sa.Text(), nullable=True), schema="field_mapping")
    op.add_column("assets", sa.Column("database_engine_release", sa.Text(), nullable=True), schema="field_mapping")
    op.add_column("assets", sa.Column("hypervisor_product", sa.Text(), nullable=True), schema="field_mapping")
    op.add_column("assets", sa.Column("hypervisor_release", sa.Text(), nullable=True), schema="field_mapping")
    op.add_column("assets", sa.Column("server_role_product", sa.Text(), nullable=True), schema="field_mapping")
    op.add_column("assets", sa.Column("server_role_release", sa.Text(), nullable=True), schema="field_mapping")


def downgrade() -> None:

    op.drop_column("assets", "server_role_release", schema="field_mapping")
    op.drop_column("assets", "server_role_product", schema="field_mapping")
    op.drop_column("assets", "hypervisor_release", schema="field_mapping")
    op.drop_column("assets", "hypervisor_product", schema="field_mapping")
    op.drop_column("assets", "database_engine_release", schema="field_mapping")
    op.drop_column("assets", "database_engine_product", schema="field_mapping")
    op.drop_column("assets", "operating_system_release", schema="field_mapping")
    op.drop_column("assets", "operating_system_product", schema="field_mapping")
