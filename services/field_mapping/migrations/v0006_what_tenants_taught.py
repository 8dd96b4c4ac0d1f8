"""What tenants taught."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "learnings",
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
        sa.Column("learning_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("origin", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("lessons", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("forgets", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("effect", sa.JSON(none_as_null=True), nullable=True),
        sa.Column(
            "document", sa.JSON(none_as_null=True), nullable=True, comment="What was imported: its sources come with it"
        ),
        sa.Column("position", sa.BigInteger(), nullable=True, comment="Its place among the applied ones"),
        sa.Column("revision", sa.BigInteger(), nullable=True, comment="The tenant's newest change to it"),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "learning_id", name=op.f("pk_learnings")),
        schema="field_mapping",
    )
    op.create_table(
        "own_fields",
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
        sa.Column("field_id", sa.Text(), nullable=False),
        sa.Column("field", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "field_id", name=op.f("pk_own_fields")),
        schema="field_mapping",
    )
    op.create_table(
        "proposals",
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
        sa.Column("table_id", sa.Uuid(), nullable=False),
        sa.Column("mapping", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "flow_id", "table_id", name=op.f("pk_proposals")),
        schema="field_mapping",
    )
    op.create_table(
        "saved_mappings",
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
        sa.Column("mapping_id", sa.Uuid(), nullable=False, comment="The fingerprint of its header"),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("profile", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("columns", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=True),
        sa.Column("learning_id", sa.Uuid(), nullable=True, comment="The import of a document that it came with"),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "mapping_id", name=op.f("pk_saved_mappings")),
        schema="field_mapping",
    )
    op.create_index(
        op.f("ix_saved_mappings_client_account_id_engagement_id_kind_family"),
        "saved_mappings",
        ["client_account_id", "engagement_id", "kind", "family"],
        unique=False,
        schema="field_mapping",
    )
    op.add_column("assets", sa.Column("own_fields", sa.JSON(none_as_null=True), nullable=True), schema="field_mapping")


def downgrade() -> None:
    op.drop_column("assets", "own_fields", schema="field_mapping")
    op.drop_index(
        op.f("ix_saved_mappings_client_account_id_engagement_id_kind_family"),
        table_name="saved_mappings",
        schema="field_mapping",
    )
    op.drop_table("saved_mappings", schema="field_mapping")
    op.drop_table("proposals", schema="field_mapping")
    op.drop_table("own_fields", schema="field_mapping")
    op.drop_table("learnings", schema="field_mapping")
