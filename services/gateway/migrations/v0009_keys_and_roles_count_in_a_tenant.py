"""Keys and roles count in a tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

CLIENT_ACCOUNT = "(NULLIF(current_setting('app.client_account_id'::text, true), ''::text))::uuid"
ENGAGEMENT = "(NULLIF(current_setting('app.engagement_id'::text, true), ''::text))::uuid"


def upgrade() -> None:
    op.create_table(
        "api_key_places",
        sa.Column("client_account_id", sa.Uuid(), server_default=sa.text(CLIENT_ACCOUNT), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), server_default=sa.text(ENGAGEMENT), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("of_client_account_id", sa.Uuid(), nullable=False),
        sa.Column("of_engagement_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "key_id", name=op.f("pk_api_key_places")),
        schema="gateway",
    )
    op.create_table(
        "membership_places",
        sa.Column("client_account_id", sa.Uuid(), server_default=sa.text(CLIENT_ACCOUNT), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), server_default=sa.text(ENGAGEMENT), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("of_client_account_id", sa.Uuid(), nullable=False),
        sa.Column("of_engagement_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint(
            "client_account_id",
            "engagement_id",
            "user_id",
            "of_client_account_id",
            "of_engagement_id",
            name=op.f("pk_membership_places"),
        ),
        schema="gateway",
    )
    op.create_table(
        "memberships",
        sa.Column("client_account_id", sa.Uuid(), server_default=sa.text(CLIENT_ACCOUNT), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), server_default=sa.text(ENGAGEMENT), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False, comment="Subject"),
        sa.Column("granted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "user_id", "role", name=op.f("pk_memberships")),
        schema="gateway",
    )
    # What it had was the bootstrap key, which the gateway lets in again when it starts.
    op.drop_table("api_keys", schema="gateway")
    op.create_table(
        "api_keys",
        sa.Column("client_account_id", sa.Uuid(), server_default=sa.text(CLIENT_ACCOUNT), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), server_default=sa.text(ENGAGEMENT), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column(
            "pepper",
            sa.BigInteger(),
            nullable=False,
            comment="Version of the root key that the digest was made with",
        ),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Subject"),
        sa.Column("created_by_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by_name", sa.Text(), nullable=True),
        sa.Column("replaced_by", sa.Text(), nullable=True, comment="The key that it was rotated to"),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "key_id", name=op.f("pk_api_keys")),
        schema="gateway",
    )
    # A client account as a whole is a tenant, too. Row-level security hides the rows from an owner who is no
    # superuser; the job that runs this forces it again.
    op.execute("alter table gateway.engagements no force row level security")
    op.execute(
        "insert into gateway.engagements (client_account_id, engagement_id, client_name, engagement_name)"
        " select distinct on (client_account_id) client_account_id, '00000000-0000-0000-0000-000000000000'::uuid,"
        " client_name, '' from gateway.engagements order by client_account_id, engagement_id on conflict do nothing"
    )


def downgrade() -> None:
    op.execute("alter table gateway.engagements no force row level security")
    op.execute("delete from gateway.engagements where engagement_id = '00000000-0000-0000-0000-000000000000'::uuid")
    op.drop_table("api_keys", schema="gateway")
    op.create_table(
        "api_keys",
        sa.Column("client_account_id", sa.Uuid(), server_default=sa.text(CLIENT_ACCOUNT), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), server_default=sa.text(ENGAGEMENT), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("client_account_id", "engagement_id", "digest", name=op.f("pk_api_keys")),
        schema="gateway",
    )
    op.drop_table("memberships", schema="gateway")
    op.drop_table("membership_places", schema="gateway")
    op.drop_table("api_key_places", schema="gateway")
