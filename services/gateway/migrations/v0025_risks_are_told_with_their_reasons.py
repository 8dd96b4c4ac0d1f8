"""Risks are told with their reasons."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.add_column("treatments", sa.Column("risk_level", sa.Text(), nullable=True), schema="gateway")
    op.add_column("treatments", sa.Column("risk_reason", sa.Text(), nullable=True), schema="gateway")
    op.add_column("treatments", sa.Column("risk_suggestion", sa.Text(), nullable=True), schema="gateway")
    op.add_column("treatments", sa.Column("risk_suggestion_reason", sa.Text(), nullable=True), schema="gateway")
    op.add_column(
        "waves", sa.Column("risks", sa.JSON(none_as_null=True), server_default="[]", nullable=False), schema="gateway"
    )
    # Waves that are there tell none; whoever writes new ones says so.
    op.alter_column("waves", "risks", server_default=None, schema="gateway")


def downgrade() -> None:
    op.drop_column("waves", "risks", schema="gateway")
    op.drop_column("treatments", "risk_suggestion_reason", schema="gateway")
    op.drop_column("treatments", "risk_suggestion", schema="gateway")
    op.drop_column("treatments", "risk_reason", schema="gateway")
    op.drop_column("treatments", "risk_level", schema="gateway")
