import { sql, type Kysely, type Migration } from 'kysely'

/*
 * Names of partitions sort by bytes ("C"), the same on every server. Certificates and the like have tables of their own:
 * counting the partitions of a run reads `partitions` from end to end, so its rows are kept short, and what is counted
 * comes first: columns of fixed length before any that can be null are found without walking the row.
 */
const TABLES = `
create table runs (
  id text primary key,
  kind text not null check (kind in ('backfill', 'incremental', 'retry')),
  state text not null default 'planning' check (state in ('planning', 'running', 'done', 'cancelled')),
  request jsonb not null,
  created_at timestamptz not null default now(),
  finished_at timestamptz
);

create table partitions (
  id bigint generated always as identity primary key,
  published_rows bigint not null default 0,
  published_bytes bigint not null default 0,
  source_bytes bigint not null default 0,
  staged_bytes bigint not null default 0 check (staged_bytes >= 0),
  generation integer not null default 1 check (generation > 0),
  crashes integer not null default 0 check (crashes >= 0),
  flagged boolean not null default false,
  state text collate "C" not null default 'planned' check (state in (
    'planned', 'downloading', 'converting', 'uploading', 'verifying',
    'verified', 'provisional', 'late', 'absent', 'quarantined', 'failed', 'cancelled')),
  dataset text collate "C" not null,
  symbol text collate "C" not null,
  "interval" text collate "C" not null,
  month text collate "C" not null,
  kind text not null check (kind in ('backfill', 'incremental', 'retry')),
  updated_at timestamptz not null default now(),
  checked_at timestamptz not null default now(),
  lease_token text collate "C",
  lease_holder text,
  lease_until timestamptz,
  work jsonb not null,
  published_key text,
  published_etag text,
  published_sha256 text,
  published_revision text,
  code text,
  message text,
  facts jsonb,
  ended_stage text,
  ended_attempt integer,
  unique (dataset, symbol, "interval", month),
  constraint lease_whole check (num_nulls(lease_token, lease_holder, lease_until) in (0, 3)),
  constraint lease_on_the_way check (
    lease_token is null or state in ('downloading', 'converting', 'uploading', 'verifying')),
  constraint published_whole check (
    num_nulls(published_key, published_etag, published_sha256, published_revision) in (0, 4)),
  constraint published_when_verified check (state not in ('verified', 'provisional') or published_key is not null)
);
create unique index partitions_lease on partitions (lease_token) where lease_token is not null;
create index partitions_unfinished on partitions (state, checked_at)
  where state in ('planned', 'downloading', 'converting', 'uploading', 'verifying');
create index partitions_staged on partitions (staged_bytes) where staged_bytes > 0;

create table run_partitions (
  run_id text not null,
  partition_id bigint not null,
  already_done boolean not null,
  primary key (run_id, partition_id)
);
create index run_partitions_partition on run_partitions (partition_id);

create table certificates (
  partition_id bigint primary key references partitions (id) on delete cascade,
  certificate jsonb not null
);

create table sources (
  partition_id bigint not null references partitions (id) on delete cascade,
  position integer not null,
  key text not null,
  etag text,
  last_modified text,
  bytes bigint not null,
  sha256 text not null,
  checksum text not null,
  checksum_hex text,
  from_us bigint not null,
  to_us bigint not null,
  primary key (partition_id, position)
);

create table gaps (
  partition_id bigint not null references partitions (id) on delete cascade,
  position integer not null,
  from_us bigint not null,
  to_us bigint not null,
  missing bigint not null,
  class text not null,
  calendar text,
  primary key (partition_id, position)
);

create table quarantine (
  partition_id bigint primary key references partitions (id) on delete cascade,
  generation integer not null,
  code text not null,
  message text not null,
  facts jsonb not null,
  findings jsonb not null,
  kept text,
  since timestamptz not null default now()
);

create table workers (
  id text primary key,
  host text not null,
  pid integer not null,
  stages text[] not null,
  doing jsonb not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

create table lake (
  id boolean primary key default true check (id),
  url text not null,
  numeric_type text not null check (numeric_type in ('double', 'decimal')),
  adopted_at timestamptz not null default now()
)`

/* The last line of defence, whoever writes: no illegal change of state, and a generation that never falls. */
const GUARDS = `
create function refuse_illegal_change() returns trigger language plpgsql as $guard$
declare
  allowed text[] := case old.state
    when 'planned' then array['downloading', 'cancelled', 'failed', 'planned']
    when 'downloading' then array['converting', 'late', 'absent', 'quarantined', 'failed', 'cancelled', 'planned']
    when 'converting' then array['uploading', 'quarantined', 'failed', 'cancelled', 'planned']
    when 'uploading' then array['verifying', 'quarantined', 'failed', 'cancelled', 'planned']
    when 'verifying' then array['verified', 'provisional', 'quarantined', 'failed', 'cancelled', 'planned']
    else array['planned'] end;
begin
  if new.generation < old.generation then
    raise exception 'generation of %/%/%/% would fall from % to %', old.dataset, old.symbol, old.interval, old.month,
      old.generation, new.generation using errcode = 'check_violation';
  end if;
  if new.state <> old.state and not new.state = any (allowed) then
    raise exception '%/%/%/% cannot go from % to %',
      old.dataset, old.symbol, old.interval, old.month, old.state, new.state using errcode = 'check_violation';
  end if;
  if new.state <> old.state and new.state = 'planned' and new.generation = old.generation then
    raise exception '%/%/%/% starts over without a new generation',
      old.dataset, old.symbol, old.interval, old.month using errcode = 'check_violation';
  end if;
  return new;
end $guard$;
create trigger refuse_illegal_change before update on partitions for each row
  when (old.state is distinct from new.state or old.generation is distinct from new.generation)
  execute function refuse_illegal_change();

create function leave_quarantine() returns trigger language plpgsql set search_path from current as $leave$
begin
  delete from quarantine where partition_id = new.id;
  return null;
end $leave$;
create trigger leave_quarantine after update on partitions for each row
  when (old.state = 'quarantined' and new.state <> 'quarantined') execute function leave_quarantine()`

/** The catalog's tables, indexes and guards. */
export const catalog: Migration = {
  up: async (db: Kysely<unknown>) => {
    for (const statement of `${TABLES};\n\n${GUARDS}`.split(/;\n+(?=create )/)) await sql.raw(statement).execute(db)
  },
}
