"""Ids of deleted flows are spent."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "deleted_flows",
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
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "flow_id", name=op.f("pk_deleted_flows")),
        schema="flow_orchestrator",
    )


def downgrade() -> None:
    op.drop_table("deleted_flows", schema="flow_orchestrator")
