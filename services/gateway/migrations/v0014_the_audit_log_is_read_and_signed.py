"""The audit log is read and signed."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "audit_checkpoints",
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
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root_hash", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("previous_size", sa.BigInteger(), nullable=False),
        sa.Column("consistency", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "size", name=op.f("pk_audit_checkpoints")),
        schema="gateway",
    )
    op.create_table(
        "audit_keys",
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
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "key_id", name=op.f("pk_audit_keys")),
        schema="gateway",
    )
    op.create_table(
        "audit_requests",
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
        sa.Column("request_id", sa.Uuid(), nullable=False, comment="The event that asked"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("problem", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "request_id", name=op.f("pk_audit_requests")),
        schema="gateway",
    )
    op.add_column("audit_verifications", sa.Column("checkpoints", sa.BigInteger(), nullable=True), schema="gateway")
    op.add_column("audit_verifications", sa.Column("signed", sa.BigInteger(), nullable=True), schema="gateway")


def downgrade() -> None:
    op.drop_column("audit_verifications", "signed", schema="gateway")
    op.drop_column("audit_verifications", "checkpoints", schema="gateway")
    op.drop_table("audit_requests", schema="gateway")
    op.drop_table("audit_keys", schema="gateway")
    op.drop_table("audit_checkpoints", schema="gateway")
