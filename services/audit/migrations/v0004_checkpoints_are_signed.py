"""Checkpoints are signed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "checkpoints",
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
        sa.Column("root_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("previous_size", sa.BigInteger(), nullable=False),
        sa.Column(
            "consistency",
            sa.JSON(none_as_null=True),
            nullable=False,
            comment="Proof that it extends the one before, base64",
        ),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "size", name=op.f("pk_checkpoints")),
        schema="audit",
        info={"grants": "select, insert"},
    )
    op.create_table(
        "signing_keys",
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
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sealed_key",
            sa.LargeBinary(),
            nullable=False,
            comment="Ed25519, sealed for signing_keys.sealed_key and the key's id",
        ),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "key_id", name=op.f("pk_signing_keys")),
        schema="audit",
        info={"grants": "select, insert"},
    )
    op.create_table(
        "tree_nodes",
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
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "level", "number", name=op.f("pk_tree_nodes")),
        schema="audit",
        info={"grants": "select, insert"},
    )
    op.add_column("entries", sa.Column("flow_id", sa.Uuid(), nullable=True), schema="audit")
    op.add_column("entries", sa.Column("actor", sa.Text(), nullable=True), schema="audit")
    op.add_column("entries", sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True), schema="audit")
    op.create_index(
        op.f("ix_entries_client_account_id_engagement_id_actor_seq"),
        "entries",
        ["client_account_id", "engagement_id", "actor", "seq"],
        unique=False,
        schema="audit",
        postgresql_where=sa.text("actor IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_entries_client_account_id_engagement_id_event_type_seq"),
        "entries",
        ["client_account_id", "engagement_id", "event_type", "seq"],
        unique=False,
        schema="audit",
    )
    op.create_index(
        op.f("ix_entries_client_account_id_engagement_id_flow_id_seq"),
        "entries",
        ["client_account_id", "engagement_id", "flow_id", "seq"],
        unique=False,
        schema="audit",
        postgresql_where=sa.text("flow_id IS NOT NULL"),
    )
    op.add_column(
        "heads",
        sa.Column(
            "signed_seq",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Entries that the newest checkpoint covers",
        ),
        schema="audit",
    )
    op.add_column(
        "heads",
        sa.Column(
            "unsigned",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Entries after it that tell of no checkpoint",
        ),
        schema="audit",
    )
    # The rows of every tenant are read; the migration job forces the policies again at its end.
    for table in ("entries", "heads"):
        op.execute(f"alter table audit.{table} no force row level security")
    # As chain.py reads them from what is appended from now on.
    op.execute(
        r"""
        update audit.entries set
            flow_id = cast(cast(record as json) ->> 'flowid' as uuid),
            happened_at = cast(cast(record as json) ->> 'time' as timestamptz),
            actor = left(coalesce(nullif(cast(record as json) -> 'data' ->> 'subject', ''), (
                select field.value #>> '{}' from json_each(cast(record as json) -> 'data') field
                where field.key like '%\_by' and json_typeof(field.value) = 'string' limit 1
            )), 200)
        """
    )
    op.execute("update audit.heads set unsigned = seq")


def downgrade() -> None:
    op.drop_column("heads", "unsigned", schema="audit")
    op.drop_column("heads", "signed_seq", schema="audit")
    op.drop_index(
        op.f("ix_entries_client_account_id_engagement_id_flow_id_seq"),
        table_name="entries",
        schema="audit",
        postgresql_where=sa.text("flow_id IS NOT NULL"),
    )
    op.drop_index(
        op.f("ix_entries_client_account_id_engagement_id_event_type_seq"), table_name="entries", schema="audit"
    )
    op.drop_index(
        op.f("ix_entries_client_account_id_engagement_id_actor_seq"),
        table_name="entries",
        schema="audit",
        postgresql_where=sa.text("actor IS NOT NULL"),
    )
    op.drop_column("entries", "happened_at", schema="audit")
    op.drop_column("entries", "actor", schema="audit")
    op.drop_column("entries", "flow_id", schema="audit")
    op.drop_table("tree_nodes", schema="audit")
    op.drop_table("signing_keys", schema="audit")
    op.drop_table("checkpoints", schema="audit")
