/** What a person finds beside the database: where it is, how to look into it, what may be deleted. */
export function readmeOf(o: { home: string; dataDir: string; socketDir: string; passwordFile: string }): string {
  return `The embedded PostgreSQL of candlelake keeps the catalog and the queues of
  ${o.home}
Its data lie in
  ${o.dataDir}
and its log is server.log in there. It runs while a candlelake command runs; the last one stops it.

To look into it while a command runs:
  PGPASSWORD="$(cat '${o.passwordFile}')" psql -h '${o.socketDir}' -U candlelake candlelake

To start again with an empty database, remove the data directory and this folder while no command runs.
Never copy the data directory while the server runs: use pg_dump.
`
}
