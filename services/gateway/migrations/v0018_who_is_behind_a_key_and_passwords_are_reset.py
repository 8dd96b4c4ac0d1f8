"""Who is behind a key and passwords are reset."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "password_resets",
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
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "user_id", name=op.f("pk_password_resets")),
        schema="gateway",
    )
    op.create_index(
        op.f("ix_password_resets_client_account_id_engagement_id_token_digest"),
        "password_resets",
        ["client_account_id", "engagement_id", "token_digest"],
        unique=True,
        schema="gateway",
    )
    op.add_column(
        "api_key_places",
        sa.Column(
            "user_id",
            sa.Uuid(),
            nullable=True,
            comment="Who made it, or the key that it was made with; null: it goes back to the platform's settings",
        ),
        schema="gateway",
    )
    op.create_index(
        op.f("ix_api_key_places_client_account_id_engagement_id_user_id"),
        "api_key_places",
        ["client_account_id", "engagement_id", "user_id"],
        unique=False,
        schema="gateway",
    )
    # The rows of every tenant are read; the migration job forces the policies again at its end.
    for table in ("api_keys", "api_key_places", "refresh_tokens", "login_sessions"):
        op.execute(f"alter table gateway.{table} no force row level security")
    op.execute(
        """
        with recursive behind as (
            select key_id, cast(substr(created_by, 6) as uuid) as user_id
            from gateway.api_keys where created_by like 'user:%'
            union all
            select made.key_id, behind.user_id
            from gateway.api_keys made join behind on made.created_by = 'key:' || behind.key_id
        )
        update gateway.api_key_places place set user_id = behind.user_id
        from behind where behind.key_id = place.key_id
        """
    )
    # Of a session that is gone; its tokens were good for nothing.
    op.execute(
        """
        delete from gateway.refresh_tokens token where not exists (
            select from gateway.login_sessions session
            where (session.client_account_id, session.engagement_id, session.session_id)
                = (token.client_account_id, token.engagement_id, token.session_id)
        )
        """
    )
    op.create_foreign_key(
        op.f("fk_refresh_tokens_client_account_id_engagement_id_session_id"),
        "refresh_tokens",
        "login_sessions",
        ["client_account_id", "engagement_id", "session_id"],
        ["client_account_id", "engagement_id", "session_id"],
        source_schema="gateway",
        referent_schema="gateway",
    )


def downgrade() -> None:
    op.drop_constraint(
        op.f("fk_refresh_tokens_client_account_id_engagement_id_session_id"),
        "refresh_tokens",
        schema="gateway",
        type_="foreignkey",
    )
    op.drop_index(
        op.f("ix_api_key_places_client_account_id_engagement_id_user_id"), table_name="api_key_places", schema="gateway"
    )
    op.drop_column("api_key_places", "user_id", schema="gateway")
    op.drop_index(
        op.f("ix_password_resets_client_account_id_engagement_id_token_digest"),
        table_name="password_resets",
        schema="gateway",
    )
    op.drop_table("password_resets", schema="gateway")
