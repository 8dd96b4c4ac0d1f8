"""Schedules and limits know their age."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "repair_runs",
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
        sa.Column("repair_id", sa.Uuid(), nullable=False),
        sa.Column(
            "requested_by", sa.String(), nullable=True, comment="Null: the clock, which looks at live flows only"
        ),
        sa.Column("flow_id", sa.Uuid(), nullable=True, comment="Of one flow; null: of all"),
        sa.Column("after", sa.Uuid(), nullable=True, comment="The last flow that was looked at"),
        sa.Column("flows_checked", sa.Integer(), nullable=False),
        sa.Column("repairs", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "repair_id", name=op.f("pk_repair_runs")),
        schema="flow_orchestrator",
        info={"dispatch": "select"},
    )
    op.add_column(
        "flow_schedules",
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default="epoch",
            nullable=False,
            comment="What was said before does not count any more",
        ),
        schema="flow_orchestrator",
    )
    op.add_column(
        "tenant_limits",
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default="epoch", nullable=False),
        schema="flow_orchestrator",
    )
    # Of rows that were there nobody knows when they were said, so whatever comes now is newer.
    for table in ("flow_schedules", "tenant_limits"):
        op.alter_column(table, "changed_at", server_default=None, schema="flow_orchestrator")


def downgrade() -> None:
    op.drop_column("tenant_limits", "changed_at", schema="flow_orchestrator")
    op.drop_column("flow_schedules", "changed_at", schema="flow_orchestrator")
    op.drop_table("repair_runs", schema="flow_orchestrator")
