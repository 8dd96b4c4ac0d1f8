"""What agents suggest stands beside what rules decided."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("treatments", sa.Column("suggestion", sa.Text(), nullable=True), schema="gateway")
    op.add_column("treatments", sa.Column("suggestion_reason", sa.Text(), nullable=True), schema="gateway")
    op.add_column(
        "waves",
        sa.Column("suggestions", sa.JSON(none_as_null=True), server_default="[]", nullable=False),
        schema="gateway",
    )
    # Waves that are there have none; whoever writes new ones says so.
    op.alter_column("waves", "suggestions", server_default=None, schema="gateway")


def downgrade() -> None:
    op.drop_column("waves", "suggestions", schema="gateway")
    op.drop_column("treatments", "suggestion_reason", schema="gateway")
    op.drop_column("treatments", "suggestion", schema="gateway")
