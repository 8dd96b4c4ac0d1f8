"""The rules of isolation, each a question to Postgres's catalogue whose every answer is a violation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """`question` gives one text a violation: what breaks the rule. `remedy` says what to do about it."""

    question: str
    remedy: str


# What the questions ask about. A role of ours is one that some service logs in with; grantee 0 is PUBLIC. A table that
# no such role can reach, as the versions of the migrations, needs no row-level security.
_COMMON = r"""
with our as (
    select to_regrole(:service_role)::oid as service_role, to_regrole(:dispatch_role)::oid as dispatch_role
), anybody as (
    select 0::oid as oid union all select oid from pg_roles where rolname like 'modernize\_%'
), kept as (
    select c.*, n.nspname, n.nspname || '.' || c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = :schema
), granted as (
    select k.oid, k.name, k.relname, k.relkind, a.grantee, a.privilege_type, null::name as column_name
    from kept k cross join aclexplode(k.relacl) a
    where a.grantee in (select oid from anybody) and a.grantee <> k.relowner
    union all
    select k.oid, k.name, k.relname, k.relkind, a.grantee, a.privilege_type, t.attname
    from kept k join pg_attribute t on t.attrelid = k.oid cross join aclexplode(t.attacl) a
    where a.grantee in (select oid from anybody)
), reached as (
    select * from kept where oid in (select oid from granted)
), declared as (
    select d->>0 as table_name, d->>1 as role, d->>2 as privilege, d->>3 as column_name
    from json_array_elements(cast(:declared as json)) d
), policies as (
    select r.name, r.relname, p.*,
        regexp_replace(lower(pg_get_expr(p.polqual, p.polrelid)), :noise, '', 'g') as seen,
        regexp_replace(lower(pg_get_expr(p.polwithcheck, p.polrelid)), :noise, '', 'g') as written
    from reached r join pg_policy p on p.polrelid = r.oid
), relation as (
    select k.name, x.conname, x.conrelid, x.confrelid, x.conkey, x.confkey, n.nspname as target_schema
    from pg_constraint x join kept k on k.oid = x.conrelid join pg_class t on t.oid = x.confrelid
    join pg_namespace n on n.oid = t.relnamespace where x.contype = 'f'
)
"""
_OF_PUBLIC_OR_ROLE = "case grantee when 0 then 'PUBLIC' else grantee::regrole::text end"

RULES = {
    "row_level_security": Rule(
        """select 'the table ' || name || ' has no forced row-level security' from reached
        where relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)""",
        "alter table … enable row level security, force row level security",
    ),
    "policy_missing": Rule(
        """select distinct 'the table ' || name || ' has no policy own_tenant' from granted, our
        where relkind in ('r', 'p') and grantee = service_role
        and oid not in (select polrelid from policies where polname = 'own_tenant')""",
        "run the migration job, which makes it",
    ),
    "policy_foreign": Rule(
        """select 'the policy ' || polname || ' on ' || name || ' lets rows through that the platform does not'
        from policies, our where not (polpermissive and polcmd = '*' and (
            polname = 'own_tenant' and polroles = array[service_role] and seen = :own_rows and written = :own_rows
            or polname = 'every_tenant' and polroles = array[dispatch_role] and seen = 'true' and written = 'true'
            and (relname in (select table_name from declared where role = :dispatch_role)
                or relname not in (select table_name from declared))
        ))""",
        "drop the policy, or run the migration job, which makes ours anew",
    ),
    "tenant_columns": Rule(
        """select 'the table ' || name || ' lacks client_account_id and engagement_id, never null' from reached
        where relkind in ('r', 'p') and 2 <> (select count(*) from pg_attribute where attrelid = reached.oid
            and attnotnull and attname in ('client_account_id', 'engagement_id') and atttypid = 'uuid'::regtype)""",
        "every row belongs to a tenant: give the table both, or revoke all grants on it",
    ),
    "unique_key": Rule(
        # A number that only the database gives out tells nobody anything.
        """select 'the unique index ' || i.relname || ' on ' || r.name || ' does not lead with the tenant'
        from reached r join pg_index x on x.indrelid = r.oid join pg_class i on i.oid = x.indexrelid
        where (x.indisunique or x.indisexclusion)
        and array['client_account_id', 'engagement_id']::name[] is distinct from (
            select array_agg(a.attname order by k.position) from unnest(x.indkey) with ordinality k(number, position)
            join pg_attribute a on a.attrelid = r.oid and a.attnum = k.number where k.position <= 2)
        and not (x.indnatts = 1 and exists (
            select from pg_attribute where attrelid = r.oid and attnum = x.indkey[0] and attidentity = 'a'))""",
        "it tells one tenant of another's rows: make client_account_id, engagement_id its first columns",
    ),
    "foreign_key": Rule(
        """select 'the foreign key ' || conname || ' of ' || name || ' leaves its schema or its tenant' from relation
        where target_schema <> :schema or 2 <> (
            select count(*) from unnest(conkey, confkey) k(own, other)
            join pg_attribute a on a.attrelid = conrelid and a.attnum = k.own
            join pg_attribute b on b.attrelid = confrelid and b.attnum = k.other and b.attname = a.attname
            where a.attname in ('client_account_id', 'engagement_id'))""",
        "foreign keys bypass row-level security: refer by client_account_id, engagement_id and the key",
    ),
    "view": Rule(
        """select 'the view ' || name || ' shows its owner''s rows' from reached where relkind = 'v'
        and not coalesce((select option_value::boolean from pg_options_to_table(reloptions)
            where option_name = 'security_invoker'), false)""",
        "alter view … set (security_invoker = true), or revoke all grants on it",
    ),
    "unprotected_kind": Rule(
        """select case relkind when 'm' then 'the materialized view ' else 'the foreign table ' end || name
        || ' has rows and no row-level security' from reached where relkind in ('m', 'f')""",
        "revoke all grants on it",
    ),
    "rewrite_rule": Rule(
        """select 'the rule ' || rulename || ' on ' || name || ' acts with the rights of its owner'
        from kept join pg_rewrite on ev_class = kept.oid where relkind in ('r', 'p')""",
        "drop the rule",
    ),
    "function": Rule(
        """select 'the function ' || p.oid::regprocedure || ' acts with the rights of its owner'
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace, our
        where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema') and (n.nspname = :schema or (
            (has_schema_privilege(service_role, n.oid, 'usage') or has_schema_privilege(dispatch_role, n.oid, 'usage'))
            and (has_function_privilege(service_role, p.oid, 'execute')
                or has_function_privilege(dispatch_role, p.oid, 'execute'))))""",
        "alter function … security invoker, or drop it",
    ),
    "grant": Rule(
        # What is not declared, here, may be of a newer version: then only the dispatcher's and what bypasses policies.
        f"""select distinct {_OF_PUBLIC_OR_ROLE} || ' may ' || lower(privilege_type) || ' on ' || name
        || coalesce(' (' || column_name || ')', '') from granted, our where case
            when grantee not in (service_role, dispatch_role) then true
            when relname not in (select table_name from declared)
                then relkind = 'S' or privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            else not exists (select from declared where table_name = relname and role = grantee::regrole::text
                and privilege = privilege_type and declared.column_name is not distinct from granted.column_name)
        end""",
        "revoke it",
    ),
    "grant_elsewhere": Rule(
        f"""select {_OF_PUBLIC_OR_ROLE} || ' may ' || lower(privilege_type) || ' on ' || n.nspname || '.' || relname
        from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join aclexplode(c.relacl) a, our
        where n.nspname <> :schema and n.nspname !~ '^pg_(toast|temp)' and grantee in (service_role, dispatch_role)""",
        "revoke it: a service reaches its own schema only",
    ),
    "schema": Rule(
        f"""select {_OF_PUBLIC_OR_ROLE} || ' has ' || lower(privilege_type) || ' on the schema ' || nspname
        from pg_namespace cross join aclexplode(nspacl) a, our
        where nspname !~ '^pg_' and nspname <> 'information_schema' and case
            when grantee in (service_role, dispatch_role) then nspname <> :schema or privilege_type <> 'USAGE'
            when grantee = 0 then nspname in (:schema, 'public') or privilege_type = 'CREATE'
            else nspname = :schema and grantee in (select oid from anybody) and grantee <> nspowner
        end""",
        "revoke it",
    ),
    "database": Rule(
        f"""select {_OF_PUBLIC_OR_ROLE} || ' has ' || lower(privilege_type) || ' on the database ' || datname
        from pg_database cross join aclexplode(coalesce(datacl, acldefault('d', datdba))) a, our
        where datname = current_database() and (grantee = 0
            or grantee in (service_role, dispatch_role) and privilege_type not in ('CONNECT', 'TEMPORARY'))""",
        "revoke it, or run the migration job as the owner of the database",
    ),
    "default_grant": Rule(
        f"""select 'whatever ' || defaclrole::regrole::text || ' makes is open to ' || {_OF_PUBLIC_OR_ROLE}
        from pg_default_acl cross join aclexplode(defaclacl) a
        where defaclobjtype in ('r', 'S', 'n') and grantee in (select oid from anybody)
        and defaclnamespace in (0, to_regnamespace(:schema))""",
        "alter default privileges … revoke it",
    ),
    "role": Rule(
        """select 'the role ' || rolname || ' is superuser, or may bypass row-level security, make roles or databases, '
        'or replicate' from pg_roles, our where oid in (service_role, dispatch_role)
        and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)""",
        "alter role … nosuperuser nobypassrls nocreaterole nocreatedb noreplication",
    ),
    "membership": Rule(
        """select 'the role ' || member::regrole || ' is a member of ' || roleid::regrole from pg_auth_members, our
        where member in (service_role, dispatch_role)""",
        "revoke the membership",
    ),
    "ownership": Rule(
        """select 'the role ' || refobjid::regrole || ' owns ' || pg_describe_object(classid, objid, objsubid)
        from pg_shdepend, our where refclassid = 'pg_authid'::regclass and deptype = 'o'
        and refobjid in (service_role, dispatch_role)
        and (dbid = 0 or dbid = (select oid from pg_database where datname = current_database()))
        and not (classid = 'pg_class'::regclass and exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.oid = objid and c.relpersistence = 't'))""",
        "an owner can switch protection off: give it to the owner of the database (alter … owner to)",
    ),
    "setting": Rule(
        r"""select 'a setting of the database or of a role of ours sets ' || split_part(config, '=', 1)
        from pg_db_role_setting cross join unnest(setconfig) config, our
        where setdatabase in (0, (select oid from pg_database where datname = current_database()))
        and setrole in (0, service_role, dispatch_role)
        and config ~ '^(app\.|role=|row_security=|session_replication_role=|search_path=)'
        union all select 'the server sets a tenant for everybody'
        from pg_settings where name in ('app.client_account_id', 'app.engagement_id') and reset_val <> ''""",
        "reset it: without a tenant there are to be no rows",
    ),
}

EVERYTHING = _COMMON.replace(":noise", r"""'\s|[()]|::text|::uuid|as "?nullif"?'""") + " union all ".join(
    f"(select '{name}' as rule, what from ({rule.question}) as found(what))" for name, rule in RULES.items()
)
