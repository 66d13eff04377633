import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place } from './place.js'

/** The port is part of the socket's name only: nothing listens on TCP. */
export const PORT = 5432
export const ROLE = 'candlelake'
export const DATABASE = 'candlelake'
/** The superuser that initdb needs. It has no password and no line in pg_hba.conf: it cannot log in. */
export const SUPERUSER = 'cluster_owner'

/**
 * The server's settings as command line arguments, so that they belong to the program's version, not to the data.
 * fsync, full_page_writes, synchronous_commit and autovacuum keep their default, on: the catalog is the truth.
 */
export function serverArguments(place: Place): string[] {
  const settings = {
    listen_addresses: '',
    port: PORT,
    unix_socket_directories: place.socketDir,
    unix_socket_permissions: '0700',
    hba_file: hbaFileOf(place),
    max_connections: 100,
    shared_buffers: '128MB',
    max_wal_size: '512MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_destination: 'stderr',
    logging_collector: 'off',
    log_checkpoints: 'off',
  }
  return ['-D', place.dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

const hbaFileOf = (place: Place): string => join(place.baseDir, 'pg_hba.conf')

/**
 * One role, over the socket, with its password. Not peer: as root the server's user is not ours, and a user id
 * without a name has no peer name.
 */
export async function writeHbaFile(place: Place): Promise<void> {
  const path = hbaFileOf(place)
  await writeFile(path, `local all ${ROLE} scram-sha-256\n`)
  // Writing minds the umask, and the server's user has to read it.
  await chmod(path, 0o644)
}
