import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execFileSync } from 'node:child_process'

/**
 * A folder that holds a Postgres server and, of the same version, pg_dump and pg_restore; null where there is none. The npm
 * package has no client programs, and pg_dump refuses servers that are newer than itself.
 */
export function postgresTools(): string | null {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const places = [...versions.map((version) => join(debian, version, 'bin')), ...onPath()]
  const programs = ['postgres', 'initdb', 'pg_dump', 'pg_restore']
  return places.find((place) => programs.every((name) => existsSync(join(place, name)))) ?? null
}

function onPath(): string[] {
  try {
    return [dirname(execFileSync('sh', ['-c', 'command -v pg_dump'], { encoding: 'utf8' }).trim())]
  } catch {
    return [] // no pg_dump
  }
}
