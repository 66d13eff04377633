#!/usr/bin/env bash
# Runs the whole stack of docker-compose.yml for real, under a project name of its own, and takes it down again:
# three containers of each stage, a backfill from an archive of made-up candles, one converting container killed with
# SIGKILL in the middle of its work. Fails unless every partition ends verified, reads back, and nothing is left over.
#
#   ops/smoke.sh [--no-build] [--keep] [--minio | --settings FILE] [--compose FILE]...
#     --no-build       take the image candlelake:local (or CANDLELAKE_IMAGE) as it is
#     --keep           leave the stack up, and say how to look at it
#     --minio          lake and staging in MinIO, from the profile of that name
#     --settings FILE  more lines of .env: LAKE_URL, STAGING_URL, S3_… of any S3; the prefix has to be empty
#     --compose FILE   one more compose file, for a service that the settings name
#   SMOKE_SCALE=3 containers of each stage; SMOKE_TIMEOUT_SECONDS=600 for the backfill
# Needs Docker with compose v2, and the images redis, postgres and node (minio); nothing of it reaches the internet
# once these are here and the image is built.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

SCALE=${SMOKE_SCALE:-3}
TIMEOUT=${SMOKE_TIMEOUT_SECONDS:-600}
BUILD=1 KEEP=0 SETTINGS='' EXTRA=() PROFILE=()
say() { printf '%4d s  %s\n' "$SECONDS" "$*" >&2; }
die() { say "FAILED: $*"; exit 1; }
while [ $# -gt 0 ]; do case $1 in
  --no-build) BUILD=0 ;;
  --keep) KEEP=1 ;;
  --minio) PROFILE=(--profile minio) ;;
  --settings) SETTINGS=$(realpath "${2:?--settings FILE}"); shift ;;
  --compose) EXTRA+=(-f "$(realpath "${2:?--compose FILE}")"); shift ;;
  *) sed -n '2,/^set -E/{/^set -E/d;s/^# \{0,1\}//;p}' "$0"; exit 1 ;;
esac; shift; done

# Compose takes the shell's variables before those of a file: none of a real installation may reach this stack.
unset DATABASE_URL QUEUE_URL LAKE_URL STAGING_URL ARCHIVE_URL ENGINE_SLOTS SERVER_USER SERVER_PASSWORD SERVER_PORT \
  REDIS_PORT POSTGRES_PORT POSTGRES_PASSWORD COMPOSE_FILE COMPOSE_PROFILES COMPOSE_PROJECT_NAME "${!S3_@}"
TMP=$(mktemp -d)
PROJECT=candlelake-smoke-$$
secret() { od -An -N18 -tx1 /dev/urandom | tr -d ' \n'; }
{
  printf 'POSTGRES_PASSWORD=%s\nSERVER_PASSWORD=%s\n' "$(secret)" "$(secret)"
  printf 'REDIS_PORT=0\nPOSTGRES_PORT=0\nSERVER_PORT=0\nENGINE_SLOTS=1\nRECONCILE_SECONDS=5\n'
  printf 'ARCHIVE_URL=http://archive:8080\nNO_PROXY=archive,minio,localhost\n'
  if [ ${#PROFILE[@]} -gt 0 ]; then
    printf 'LAKE_URL=s3://candlelake/lake\nSTAGING_URL=s3://candlelake/staging\nS3_ENDPOINT=http://minio:9000\n'
    printf 'S3_ACCESS_KEY_ID=smoke\nS3_SECRET_ACCESS_KEY=%s\n' "$(secret)"
  fi
  if [ -n "$SETTINGS" ]; then cat "$SETTINGS"; fi
} >"$TMP/env"
export CANDLELAKE_ENV_FILE=$TMP/env
dc() {
  docker compose --project-name "$PROJECT" --env-file "$TMP/env" ${PROFILE[@]+"${PROFILE[@]}"} \
    -f docker-compose.yml -f ops/smoke/compose.yml ${EXTRA[@]+"${EXTRA[@]}"} "$@"
}
# Reads of the script: compose must not eat what stands on standard input.
sql() {
  dc exec -T postgres psql -U candlelake -d candlelake -Atc "set search_path = candlelake; $1" </dev/null | tail -n +2
}
IMAGE=${CANDLELAKE_IMAGE:-candlelake:local}

down() {
  local rc=$?
  trap - EXIT
  if [ $rc -ne 0 ]; then
    dc ps -a >&2 || true
    dc logs --no-color --tail 15 >&2 || true
  fi
  if [ "$KEEP" = 1 ]; then
    say "kept: docker compose --project-name $PROJECT ps; settings in $TMP/env"
  else
    dc --profile cli down --volumes --remove-orphans --timeout 5 >/dev/null 2>&1 || say 'taking the stack down failed'
    rm -rf "$TMP"
  fi
  exit $rc
}
trap down EXIT

if [ "$BUILD" = 1 ]; then
  say "building $IMAGE"
  docker build --quiet --file ops/Dockerfile --tag "$IMAGE" . >/dev/null
fi
docker image inspect "$IMAGE" >/dev/null 2>&1 || die "no image $IMAGE: leave --no-build out"

say "starting, $SCALE containers of each stage"
started=$SECONDS
up() {
  dc up --detach --wait --wait-timeout 300 --no-build \
    --scale "download=$SCALE" --scale "convert=$SCALE" --scale "publish=$SCALE" >"$TMP/up.log" 2>&1
}
# Compose gives up when a container restarts, as a worker does that met no catalog in time: two tries more.
up || { say 'not yet healthy'; up; } || { say 'not yet healthy'; up; } ||
  { cat "$TMP/up.log" >&2; die 'the stack is not healthy'; }
up_seconds=$((SECONDS - started))
containers=$(dc ps --quiet | wc -l)
say "$containers containers are healthy after $up_seconds s"

say 'inside: not root, and nothing but data, cache and /tmp can be written'
[ "$(dc exec -T convert id -u </dev/null)" = 10001 ] || die 'the container runs as another user'
if dc exec -T convert touch /app/x </dev/null 2>/dev/null; then die 'the root file system can be written'; fi
[ "$(dc exec -T convert cat /proc/1/comm </dev/null)" = tini ] || die 'process 1 is not tini'

started=$SECONDS
dc run --rm -T candlelake backfill --symbols all --intervals 1h,1m --from 2023-01 --to 2023-12 --detach --json \
  </dev/null >"$TMP/run.json" || die 'the backfill could not be planned'
total=$(sed -n 's/.*"total":\([0-9]*\).*/\1/p' "$TMP/run.json" | tail -1)
say "planned $total partitions"
[ "$total" -ge 100 ] || die 'that is too few to be in the middle of'

# In the middle: some are verified, and a container has a conversion in hand under a lease, of 1m, which takes long
# enough for `docker kill` to strike it. Postgres itself waits for that moment; asking from here is too slow to see it.
wait_sql="do \$\$ begin
  for i in 1 .. 12000 loop
    exit when (select count(*) from partitions where state = 'verified') >= 10
      and exists (select from partitions
        where state = 'converting' and \"interval\" = '1m' and lease_until > clock_timestamp());
    perform pg_sleep(0.05);
  end loop;
end \$\$"
killed=''
while [ -z "$killed" ]; do
  sql "$wait_sql" >/dev/null
  holder=$(sql "select split_part(lease_holder, '-', 1) from partitions where state = 'converting'
                and \"interval\" = '1m' and lease_holder is not null order by lease_until desc limit 1")
  verified=$(sql "select count(*) from partitions where state = 'verified'")
  [ "$verified" -lt "$total" ] || die 'everything was verified before a container could be killed'
  [ -n "$holder" ] || continue
  docker kill "$holder" >/dev/null
  # It is dead: what it still holds now, it had in hand.
  held=$(sql "select string_agg(symbol || '/' || \"interval\" || '/' || month, ' ') from partitions
              where lease_holder like '$holder-%' and state = 'converting'")
  if [ -n "$held" ]; then killed=$holder; continue; fi
  say "$holder was killed, but had just handed its work on; taking another"
  docker start "$holder" >/dev/null
done
state=$(docker inspect --format '{{.State.Running}} {{.State.ExitCode}}' "$killed")
[ "$state" = 'false 137' ] || die "the killed container is: $state"
name=$(docker inspect --format '{{.Name}}' "$killed")
say "killed ${name#/} with $verified of $total verified, while it held: $held"

for _ in $(seq 1 "$TIMEOUT"); do
  run_state=$(sql 'select state from runs')
  [ "$run_state" != 'done' ] || break
  sleep 1
done
run_seconds=$((SECONDS - started))
ends=$(sql "select state || ' ' || count(*) from partitions group by state")
[ "$run_state $ends" = "done verified $total" ] || die "the run is $run_state, its partitions: $ends"
say "all $total partitions verified after $run_seconds s, the killed one's too"

# What a dead worker left is removed by reconcile, once it is old enough to be nobody's.
wanted="{\"data\":$total,\"certificates\":$total,\"other\":0,\"incoming\":0,\"staged\":0,\"markers\":2}"
for _ in $(seq 1 120); do
  left=$(dc exec -T server node /smoke/left-over.js </dev/null) || left='folders that go while they are read'
  [ "$left" != "$wanted" ] || break
  sleep 1
done
[ "$left" = "$wanted" ] || die "lake and staging hold $left"
say "lake and staging hold $left"

dc run --rm -T candlelake verify --json </dev/null >"$TMP/verify.json" ||
  die "reading back: $(tail -1 "$TMP/verify.json")"
say "read back: $(tail -1 "$TMP/verify.json")"

started=$SECONDS
dc stop --timeout 45 download convert publish schedule server >/dev/null 2>&1
codes=$(dc ps --all --format '{{.ID}} {{.ExitCode}}' download convert publish schedule server |
  grep -v "^${killed:0:12}" | awk '{print $2}' | sort | uniq -c)
[ "$(awk '{print $2}' <<<"$codes")" = 143 ] || die "SIGTERM ended some otherwise: $codes"
say "SIGTERM ended $(awk '{print $1}' <<<"$codes") containers in order, in $((SECONDS - started)) s"
printf '%s\n' "passed: $containers containers, $total partitions in $run_seconds s, killed ${name#/} holding $held"
