"""Units are taught and documents bring fields."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column(
        "learnings",
        sa.Column(
            "kept_fields",
            sa.JSON(none_as_null=True),
            nullable=True,
            comment="Those that stayed when it was undone, and why",
        ),
        schema="gateway",
    )
    op.add_column("lessons", sa.Column("unit", sa.Text(), nullable=True), schema="gateway")
    op.add_column(
        "own_fields",
        sa.Column(
            "learning_id", sa.Uuid(), nullable=True, comment="The document that it came with, until people change it"
        ),
        schema="gateway",
    )


def downgrade() -> None:
    op.drop_column("own_fields", "learning_id", schema="gateway")
    op.drop_column("lessons", "unit", schema="gateway")
    op.drop_column("learnings", "kept_fields", schema="gateway")
