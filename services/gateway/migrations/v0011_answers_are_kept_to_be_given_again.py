"""Answers are kept to be given again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

CLIENT_ACCOUNT = "(NULLIF(current_setting('app.client_account_id'::text, true), ''::text))::uuid"
ENGAGEMENT = "(NULLIF(current_setting('app.engagement_id'::text, true), ''::text))::uuid"


def upgrade() -> None:
    op.create_table(
        "kept_answers",
        sa.Column("client_account_id", sa.Uuid(), server_default=sa.text(CLIENT_ACCOUNT), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), server_default=sa.text(ENGAGEMENT), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment="Of method, address and body"),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False, comment="Sealed: a new API key may be in it"),
        sa.Column("kept_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "subject", "key", name=op.f("pk_kept_answers")),
        schema="gateway",
    )
    op.create_index(
        op.f("ix_kept_answers_kept_at"),
        "kept_answers",
        ["kept_at"],
        unique=False,
        schema="gateway",
        postgresql_using="brin",
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_kept_answers_kept_at"), table_name="kept_answers", schema="gateway", postgresql_using="brin")
    op.drop_table("kept_answers", schema="gateway")
