"""Who edits need not approve."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

CLIENT_ACCOUNT = "(NULLIF(current_setting('app.client_account_id'::text, true), ''::text))::uuid"
ENGAGEMENT = "(NULLIF(current_setting('app.engagement_id'::text, true), ''::text))::uuid"


def upgrade() -> None:
    op.create_table(
        "edits",
        sa.Column("client_account_id", sa.Uuid(), server_default=sa.text(CLIENT_ACCOUNT), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), server_default=sa.text(ENGAGEMENT), nullable=False),
        sa.Column("edit_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="Of the tasks: field_mapping, wave_plan, …"),
        sa.Column(
            "about", sa.Text(), nullable=True, comment="The one task, or the learning that is proposed; else all tasks"
        ),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "edit_id", name=op.f("pk_edits")),
        schema="gateway",
    )
    op.create_index(
        op.f("ix_edits_client_account_id_engagement_id_about"),
        "edits",
        ["client_account_id", "engagement_id", "about"],
        unique=False,
        schema="gateway",
    )
    op.create_index(
        op.f("ix_edits_client_account_id_engagement_id_subject_kind"),
        "edits",
        ["client_account_id", "engagement_id", "subject", "kind"],
        unique=False,
        schema="gateway",
    )
    op.add_column("approvals", sa.Column("decided_by_subject", sa.Text(), nullable=True), schema="gateway")
    op.add_column(
        "approvals",
        sa.Column(
            "edits",
            sa.JSON(none_as_null=True),
            nullable=True,
            comment="Made before the approval, which another one gives",
        ),
        schema="gateway",
    )
    op.add_column("approvals", sa.Column("edited_by", sa.Text(), nullable=True), schema="gateway")


def downgrade() -> None:
    op.drop_column("approvals", "edited_by", schema="gateway")
    op.drop_column("approvals", "edits", schema="gateway")
    op.drop_column("approvals", "decided_by_subject", schema="gateway")
    op.drop_index(op.f("ix_edits_client_account_id_engagement_id_subject_kind"), table_name="edits", schema="gateway")
    op.drop_index(op.f("ix_edits_client_account_id_engagement_id_about"), table_name="edits", schema="gateway")
    op.drop_table("edits", schema="gateway")
