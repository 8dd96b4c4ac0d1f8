"""Ways to open a database to the wrong tenant or service, by name."""

TENANT = "client_account_id uuid not null, engagement_id uuid not null"
# A table as the migration job leaves it, for plants that need one more.
PROTECTED = f"""
    create table probe.extra ({TENANT}, id int not null, primary key (client_account_id, engagement_id, id));
    alter table probe.extra enable row level security;
    alter table probe.extra force row level security;
    create policy own_tenant on probe.extra to modernize_probe
        using (client_account_id = (select nullif(current_setting('app.client_account_id'::text, true), ''::text)::uuid)
            and engagement_id = (select nullif(current_setting('app.engagement_id'::text, true), ''::text)::uuid))
        with check (client_account_id = (select nullif(current_setting('app.client_account_id', true), '')::uuid)
            and engagement_id = (select nullif(current_setting('app.engagement_id', true), '')::uuid));
    grant select, insert on probe.extra to modernize_probe;
"""

OPEN_BARE = "grant select on probe.bare to modernize_probe"


def on_database(privilege: str, role: str) -> str:
    """SQL that grants something on the database it is run in."""
    return f"do $$ begin execute format('grant {privilege} on database %I to {role}', current_database()); end $$"


# The rule that must find it, the words that must name it, and what is done to the database of the service `probe`.
PLANTS = {
    "row-level security off": (
        "row_level_security",
        "probe.effects",
        "alter table probe.effects disable row level security",
    ),
    "row-level security not forced": (
        "row_level_security",
        "probe.inbox",
        "alter table probe.inbox no force row level security",
    ),
    "a new table without protection": (
        "row_level_security",
        "probe.bare",
        f"create table probe.bare ({TENANT}); {OPEN_BARE}",
    ),
    "a table open by one column": (
        "row_level_security",
        "probe.bare",
        f"create table probe.bare ({TENANT});grant select (engagement_id) on probe.bare to modernize_probe",
    ),
    "a partition without protection": (
        "row_level_security",
        "probe.part",
        PROTECTED.replace("engagement_id, id));", "engagement_id, id)) partition by hash (id);")
        + "create table probe.part partition of probe.extra for values with (modulus 1, remainder 0);"
        "grant select on probe.part to modernize_probe",
    ),
    "no policy": ("policy_missing", "probe.effects", "drop policy own_tenant on probe.effects"),
    "a policy for everything": (
        "policy_foreign",
        "wide",
        "create policy wide on probe.effects to modernize_probe using (true)",
    ),
    "ours with a way out": (
        "policy_foreign",
        "own_tenant",
        "alter policy own_tenant on probe.effects using (client_account_id is not null)",
    ),
    "ours by client alone": (
        "policy_foreign",
        "own_tenant",
        "alter policy own_tenant on probe.effects using (client_account_id ="
        " (select nullif(current_setting('app.client_account_id', true), '')::uuid))",
    ),
    "ours that checks nothing that is written": (
        "policy_foreign",
        "own_tenant",
        "alter policy own_tenant on probe.effects with check (true)",
    ),
    "ours for everybody": ("policy_foreign", "own_tenant", "alter policy own_tenant on probe.effects to public"),
    "the dispatcher's where none was declared": (
        "policy_foreign",
        "every_tenant",
        "create policy every_tenant on probe.effects to modernize_probe_dispatch using (true) with check (true)",
    ),
    "the dispatcher's for the service": (
        "policy_foreign",
        "every_tenant",
        "alter policy every_tenant on probe.inbox to modernize_probe",
    ),
    "a table without a tenant": ("tenant_columns", "probe.bare", f"create table probe.bare (id int); {OPEN_BARE}"),
    "a tenant that may be null": (
        "tenant_columns",
        "probe.outbox",
        "alter table probe.outbox alter engagement_id drop not null",
    ),
    "a primary key without the tenant": (
        "unique_key",
        "extra_pkey",
        PROTECTED.replace("primary key (client_account_id, engagement_id, id)", "primary key (id)"),
    ),
    "a unique index without the tenant": ("unique_key", "told", "create unique index told on probe.effects (event_id)"),
    "a unique index with the tenant last": (
        "unique_key",
        "told",
        "create unique index told on probe.effects (event_id, client_account_id, engagement_id)",
    ),
    "a unique index of an expression": (
        "unique_key",
        "told",
        "create unique index told on probe.effects (lower(note), client_account_id, engagement_id)",
    ),
    "a unique index by client alone": (
        "unique_key",
        "told",
        "create unique index told on probe.effects (client_account_id, event_id)",
    ),
    "an exclusion without the tenant": (
        "unique_key",
        "told",
        "alter table probe.effects add constraint told exclude using btree (event_id with =)",
    ),
    "a foreign key without the tenant": (
        "foreign_key",
        "led_astray",
        "create table probe.target (id int unique); alter table probe.effects add other int,"
        " add constraint led_astray foreign key (other) references probe.target (id)",
    ),
    "a foreign key that swaps client and engagement": (
        "foreign_key",
        "led_astray",
        PROTECTED + "alter table probe.extra add other int,"
        " add constraint led_astray foreign key (engagement_id, client_account_id, other) references probe.extra",
    ),
    "a foreign key to another service": (
        "foreign_key",
        "led_astray",
        "alter table probe.effects add constraint led_astray foreign key (client_account_id, engagement_id, event_id)"
        " references probe_listener.inbox",
    ),
    "a view with its owner's rights": (
        "view",
        "probe.all_effects",
        "create view probe.all_effects as select * from probe.effects;"
        "grant select on probe.all_effects to modernize_probe",
    ),
    "a view that says so": (
        "view",
        "probe.all_effects",
        "create view probe.all_effects with (security_invoker = off) as select * from probe.effects;"
        "grant select on probe.all_effects to modernize_probe",
    ),
    "a materialized view": (
        "unprotected_kind",
        "probe.kept_effects",
        "create materialized view probe.kept_effects as select * from probe.effects;"
        "grant select on probe.kept_effects to modernize_probe",
    ),
    "a rule that writes elsewhere": (
        "rewrite_rule",
        "copied",
        "create table probe.bare (like probe.effects);"
        "create rule copied as on insert to probe.effects do also insert into probe.bare values (new.*)",
    ),
    "a function with its owner's rights": (
        "function",
        "probe.everything()",
        "create function probe.everything() returns bigint security definer language sql"
        " as 'select count(*) from probe.effects'",
    ),
    "such a function in the schema public": (
        "function",
        "everything()",
        "grant usage on schema public to modernize_probe;"
        "create function public.everything() returns int security definer language sql as 'select 1'",
    ),
    "everybody may read": ("grant", "PUBLIC may select on probe.effects", "grant select on probe.effects to public"),
    "another service may read": (
        "grant",
        "modernize_probe_listener may select",
        "grant select on probe.effects to modernize_probe_listener",
    ),
    "the service may empty a table": ("grant", "may truncate", "grant truncate on probe.effects to modernize_probe"),
    "the service may change what it may only append": (
        "grant",
        "may update on probe.outbox",
        "grant update on probe.outbox to modernize_probe",
    ),
    "the service may change a column of it": (
        "grant",
        "may update on probe.outbox (event)",
        "grant update (event) on probe.outbox to modernize_probe",
    ),
    "the dispatcher may read more": (
        "grant",
        "modernize_probe_dispatch may select on probe.effects",
        "grant select on probe.effects to modernize_probe_dispatch",
    ),
    "the service may empty a table that is new": (
        "grant",
        "may truncate on probe.extra",
        PROTECTED + "grant truncate on probe.extra to modernize_probe",
    ),
    "a sequence that counts for all": (
        "grant",
        "on probe.numbers",
        "create sequence probe.numbers;grant usage on sequence probe.numbers to modernize_probe",
    ),
    "a table of another service": (
        "grant_elsewhere",
        "probe_listener.inbox",
        "grant select on probe_listener.inbox to modernize_probe",
    ),
    "a table in the schema public": (
        "grant_elsewhere",
        "public.shared",
        "create table public.shared (id int);grant select on public.shared to modernize_probe",
    ),
    "the schema of another service": (
        "schema",
        "on the schema probe_listener",
        "grant usage on schema probe_listener to modernize_probe",
    ),
    "another service in this schema": (
        "schema",
        "modernize_probe_listener has usage",
        "grant usage on schema probe to modernize_probe_listener",
    ),
    "everybody in this schema": (
        "schema",
        "PUBLIC has usage on the schema probe",
        "grant usage on schema probe to public",
    ),
    "everybody in the schema public": (
        "schema",
        "PUBLIC has usage on the schema public",
        "grant usage on schema public to public",
    ),
    "a new schema where everybody may create": (
        "schema",
        "PUBLIC has create on the schema playground",
        "create schema playground;grant create on schema playground to public",
    ),
    "the service may create in its schema": (
        "schema",
        "modernize_probe has create",
        "grant create on schema probe to modernize_probe",
    ),
    "everybody may connect": ("database", "PUBLIC has connect", on_database("connect", "public")),
    "the service may make schemas": (
        "database",
        "modernize_probe has create",
        on_database("create", "modernize_probe"),
    ),
    "tables to come are open": (
        "default_grant",
        "PUBLIC",
        "alter default privileges in schema probe grant select on tables to public",
    ),
    "a superuser": ("role", "modernize_probe ", "alter role modernize_probe superuser"),
    "a role that bypasses": ("role", "modernize_probe_dispatch ", "alter role modernize_probe_dispatch bypassrls"),
    "a role that makes roles": ("role", "modernize_probe ", "alter role modernize_probe createrole"),
    "a role that replicates": ("role", "modernize_probe ", "alter role modernize_probe replication"),
    "membership in a role that reads all": (
        "membership",
        "pg_read_all_data",
        "grant pg_read_all_data to modernize_probe",
    ),
    "membership in another service's role": (
        "membership",
        "modernize_probe_listener",
        "grant modernize_probe_listener to modernize_probe",
    ),
    "a table that the service owns": (
        "ownership",
        "table probe.effects",
        "alter table probe.effects owner to modernize_probe",
    ),
    "a schema that the service owns": ("ownership", "schema probe", "alter schema probe owner to modernize_probe"),
    "a function that the service owns": (
        "ownership",
        "function probe.mine()",
        "create function probe.mine() returns int language sql as 'select 1';"
        "alter function probe.mine() owner to modernize_probe",
    ),
    "a tenant that a role always has": (
        "setting",
        "app.client_account_id",
        f"alter role modernize_probe set app.client_account_id = '{'0' * 32}'",
    ),
    "a role that acts as another": ("setting", "role", "alter role modernize_probe set role = 'postgres'"),
}
