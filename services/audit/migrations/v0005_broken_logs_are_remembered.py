"""Broken logs are remembered."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "heads",
        sa.Column(
            "broken_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was first found not to be as written",
        ),
        schema="audit",
    )
    op.add_column("heads", sa.Column("broken_detail", sa.Text(), nullable=True), schema="audit")


def downgrade() -> None:
    op.drop_column("heads", "broken_detail", schema="audit")
    op.drop_column("heads", "broken_since", schema="audit")
