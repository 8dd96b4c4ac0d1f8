"""Learning and fields of tenants own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


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
        sa.Column("problem", sa.JSON(none_as_null=True), nullable=True),
        sa.Column(
            "own_fields",
            sa.JSON(none_as_null=True),
            nullable=False,
            comment="Fields that come with its document when it is applied",
        ),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "learning_id", name=op.f("pk_learnings")),
        schema="gateway",
    )
    op.create_table(
        "lessons",
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
        sa.Column("lesson_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("column", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("origin", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("in_force", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="The change that said so; a newer one wins"),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "lesson_id", name=op.f("pk_lessons")),
        schema="gateway",
    )
    op.create_index(
        op.f("ix_lessons_client_account_id_engagement_id_source_id"),
        "lessons",
        ["client_account_id", "engagement_id", "source_id"],
        unique=False,
        schema="gateway",
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
        sa.Column("field", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("saved_by", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "field_id", name=op.f("pk_own_fields")),
        schema="gateway",
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
        sa.Column("mapping_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=True),
        sa.Column("columns", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("drift", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("decided", sa.Boolean(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=True),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "mapping_id", name=op.f("pk_saved_mappings")),
        schema="gateway",
    )
    op.create_index(
        op.f("ix_saved_mappings_client_account_id_engagement_id_source_id"),
        "saved_mappings",
        ["client_account_id", "engagement_id", "source_id"],
        unique=False,
        schema="gateway",
    )


def downgrade() -> None:
    op.drop_index(
        op.f("ix_saved_mappings_client_account_id_engagement_id_source_id"),
        table_name="saved_mappings",
        schema="gateway",
    )
    op.drop_table("saved_mappings", schema="gateway")
    op.drop_table("own_fields", schema="gateway")
    op.drop_index(op.f("ix_lessons_client_account_id_engagement_id_source_id"), table_name="lessons", schema="gateway")
    op.drop_table("lessons", schema="gateway")
    op.drop_table("learnings", schema="gateway")
