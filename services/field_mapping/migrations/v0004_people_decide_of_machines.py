"""People decide of machines."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "identity_decisions",
        sa.Column(
            "client_account_id",
            sa.Uuid(),
            server_default=sa.text("(NULLIF(current_setting('app.client_account_id'::text, true), ''::text))::uuid"),
            nullable=False,
        ),
        sa.Column(
            "engagement_id",
            sa.Uuid(),
            server_default=sa.text("(NULLIF(current_setting('app.engagement_id'::text, true), ''::text))::uuid"),
            nullable=False,
        ),
        sa.Column("asset_uid", sa.Uuid(), nullable=False),
        sa.Column("other_uid", sa.Uuid(), nullable=False),
        sa.Column("same", sa.Boolean(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "client_account_id", "engagement_id", "asset_uid", "other_uid", name=op.f("pk_identity_decisions")
        ),
        schema="field_mapping",
    )
    op.add_column("assets", sa.Column("vanished_from", sa.Uuid(), nullable=True), schema="field_mapping")
    op.add_column("mappings", sa.Column("source", sa.JSON(none_as_null=True), nullable=True), schema="field_mapping")
    op.add_column("mappings", sa.Column("rules_version", sa.Integer(), nullable=True), schema="field_mapping")


def downgrade() -> None:
    op.drop_column("mappings", "rules_version", schema="field_mapping")
    op.drop_column("mappings", "source", schema="field_mapping")
    op.drop_column("assets", "vanished_from", schema="field_mapping")
    op.drop_table("identity_decisions", schema="field_mapping")
