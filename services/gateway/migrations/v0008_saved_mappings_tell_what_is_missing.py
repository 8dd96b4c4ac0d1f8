"""Saved mappings tell what is missing."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column(
        "saved_mappings",
        sa.Column("missing_fields", sa.JSON(none_as_null=True), server_default=sa.text("'{}'::json"), nullable=False),
        schema="gateway",
    )


def downgrade() -> None:
    op.drop_column("saved_mappings", "missing_fields", schema="gateway")
