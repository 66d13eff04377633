import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** How a Redis can be had on this machine. */
export type RedisProgram = { readonly kind: 'program'; readonly path: string } | { readonly kind: 'docker' }

const NAMES = ['redis-server', 'valkey-server']

/** A program on the PATH, else Docker, else the distribution's package; installing the last needs root. */
export function findRedis(): RedisProgram {
  const path = onPath()
  if (path) return { kind: 'program', path }
  if (spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 20_000 }).status === 0) return { kind: 'docker' }
  const installed = install()
  if (installed) return { kind: 'program', path: installed }
  throw new Error('The tests need a Redis: install redis-server or valkey-server, start Docker, or set TEST_REDIS_URL.')
}

function onPath(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram) ?? null
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function install(): string | null {
  if (process.geteuid?.() !== 0 || !existsSync('/etc/debian_version')) return null
  // In runlevel 1 the package does not start its service; a running one would not matter, ports here are free ones.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  for (const args of [['update', '-q'], ['install', '-y', '-q', '--no-install-recommends', 'redis-server']]) {
    if (spawnSync('apt-get', args, { env, stdio: 'ignore', timeout: 300_000 }).status !== 0) return null
  }
  return onPath()
}
