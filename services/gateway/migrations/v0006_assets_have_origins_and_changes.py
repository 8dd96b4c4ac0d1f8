"""Assets have origins, changes and pairs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "asset_changes",
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
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("asset_uid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "client_account_id", "engagement_id", "flow_id", "number", name=op.f("pk_asset_changes")
        ),
        schema="gateway",
    )
    op.create_table(
        "asset_origins",
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
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("asset_uid", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("fields", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("rules_changed", sa.Boolean(), nullable=True),
        sa.Column("problem", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "client_account_id", "engagement_id", "flow_id", "asset_uid", name=op.f("pk_asset_origins")
        ),
        schema="gateway",
    )
    op.create_index(
        op.f("ix_asset_origins_client_account_id_engagement_id_request_id"),
        "asset_origins",
        ["client_account_id", "engagement_id", "request_id"],
        unique=False,
        schema="gateway",
    )
    op.create_table(
        "duplicate_pairs",
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
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("asset_uid", sa.Uuid(), nullable=False),
        sa.Column("other_uid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("other_name", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("same", sa.Boolean(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "client_account_id", "engagement_id", "flow_id", "number", name=op.f("pk_duplicate_pairs")
        ),
        schema="gateway",
    )


def downgrade() -> None:
    op.drop_table("duplicate_pairs", schema="gateway")
    op.drop_index(
        op.f("ix_asset_origins_client_account_id_engagement_id_request_id"),
        table_name="asset_origins",
        schema="gateway",
    )
    op.drop_table("asset_origins", schema="gateway")
    op.drop_table("asset_changes", schema="gateway")
