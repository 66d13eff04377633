import { expect } from 'chai'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archive, type Archive } from '../support/archive.js'
import { ask } from '../support/ask.js'
import { checkoutFor, ordinaryUser } from '../support/checkout.js'
import {
  errorOf, filesBelow, isRunning, lastJson, printed, processesWith, removeHome, runCli, startAtTerminal, startCli, summaryOf, temporaryHome, until,
  type Home,
} from '../support/cli.js'
import { askEmbedded, embeddedDataOf, embeddedPidOf } from '../support/embedded.js'

const MONTHS = Array.from({ length: 6 }, (_, i) => `2024-0${i + 1}`)
const QUICK = { LEASE_SECONDS: '4', JOB_LOCK_SECONDS: '4', RECONCILE_SECONDS: '2' }
/** More than these the embedded server is not made for. */
const CONNECTIONS = 25

describe('acceptance: embedded database', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home

  before(async () => {
    served = await archive()
    for (const symbol of ['AUSDT', 'BUSDT', 'CUSDT', 'DUSDT', 'EUSDT']) await served.months({ symbol, interval: '1d' }, MONTHS)
  })

  after(() => served.close())

  beforeEach(async () => {
    home = await temporaryHome({ ARCHIVE_URL: served.url, ...QUICK })
    served.forget()
  })

  afterEach(async () => {
    served.faults.clear()
    const server = embeddedPidOf(home.dir)
    await home.remove()
    expect(server, 'a server was left running').to.equal(null)
    expect(processesWith(home.dir)).to.deep.equal([])
  })

  const backfill = (symbol: string, more: readonly string[] = []): string[] =>
    ['backfill', '--symbols', symbol, '--intervals', '1d', '--from', '2024-01', '--to', '2024-06', ...more]
  const QUIET = ['--json', '-q']

  it('works in a fresh home that nobody else may enter, and stops with the last command', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'candlelake-closed-'))
    chmodSync(folder, 0o700)
    const inside = { ARCHIVE_URL: served.url, CANDLELAKE_HOME: join(folder, 'never made before', 'home'), HOME: folder }
    try {
      const ended = await runCli(backfill('AUSDT', QUIET), inside, { cwd: folder })
      expect(ended.code, ended.stderr).to.equal(0)
      expect(summaryOf(ended).partitions).to.include({ verified: 6 })
      expect(statSync(inside.CANDLELAKE_HOME).mode & 0o077).to.equal(0)
      expect(statSync(embeddedDataOf(inside.CANDLELAKE_HOME) ?? '').uid, 'the server never runs as root').to.not.equal(0)
      expect(embeddedPidOf(inside.CANDLELAKE_HOME)).to.equal(null)
    } finally {
      await removeHome(inside.CANDLELAKE_HOME)
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('works for an ordinary user, with everything in that user\'s home', async () => {
    const user = ordinaryUser()
    const checkout = checkoutFor(user)
    const folder = mkdtempSync(join(tmpdir(), 'candlelake-user-'))
    try {
      if (user !== null) chownSync(folder, user.uid, user.gid)
      const env = { ARCHIVE_URL: served.url, HOME: folder }
      const as = { root: checkout.root, cwd: folder, ...(user === null ? {} : { user }) }
      const ended = await runCli(backfill('AUSDT', QUIET), env, as)
      expect(ended.code, ended.stderr).to.equal(0)
      expect(summaryOf(ended).partitions).to.include({ verified: 6 })
      const own = join(folder, '.local/share/candlelake')
      expect(embeddedDataOf(own)).to.equal(join(own, 'postgres/data'))
      expect(filesBelow(join(own, 'lake')).filter((name) => name.endsWith('.parquet'))).to.have.length(6)
      expect(statSync(own).uid).to.equal(user?.uid ?? process.geteuid?.())
      expect(embeddedPidOf(own)).to.equal(null)
    } finally {
      rmSync(folder, { recursive: true, force: true })
      checkout.remove()
    }
  })

  it('Ctrl-C at a terminal in mid-backfill: 130, bars until then, no server left, and the rest by the next command', async () => {
    served.faults.set({ match: /AUSDT.*\.zip$/, latencyMs: 500 })
    const running = startAtTerminal(backfill('AUSDT', ['--concurrency', 'download=1']), home.env)
    await until('two files sent', () => served.sent().length >= 2)
    await printed(running, /download .*[█░]+/)
    const server = embeddedPidOf(home.dir)
    expect(server, 'the database runs meanwhile').to.be.a('number')
    running.type('\x03')
    const ended = await running.ended
    expect(ended.code, ended.stdout).to.equal(130)
    expect(ended.stdout).to.include('Finishing what is in hand').and.to.match(/Stopped with \d of 6 to do/)
    expect(isRunning(server ?? 0), 'the server ended with the last command').to.equal(false)
    expect(served.sent().length, 'it was in the middle').to.be.below(6)
    served.faults.clear()
    const resumed = await runCli(backfill('AUSDT', QUIET), home.env)
    expect(resumed.code, resumed.stderr).to.equal(0)
    expect(summaryOf(resumed).partitions).to.include({ verified: 6 })
    expect(served.sent(), 'each file once').to.have.length(6)
  })

  it('the first command ends while a second one works: the server stays for it', async () => {
    // The second one cannot end before the first one has.
    served.faults.set({ match: /BUSDT.*\.zip$/, errorRate: 1 })
    const first = startCli(backfill('AUSDT', QUIET), home.env)
    const second = startCli(backfill('BUSDT', QUIET), home.env)
    const ended = await first.ended
    expect(ended.code, ended.stderr).to.equal(0)
    await until('the second one to be refused a file', () => served.faults.counts.errorRate > 0)
    expect(second.child.exitCode, 'the second one still works').to.equal(null)
    const server = embeddedPidOf(home.dir)
    expect(server).to.be.a('number')
    served.faults.clear()
    const rest = await second.ended
    expect(rest.code, rest.stderr).to.equal(0)
    expect(summaryOf(rest).partitions).to.include({ verified: 6 })
    expect(isRunning(server ?? 0)).to.equal(false)
  })

  it('after kill -9 the next command adopts the server that was left, and stops it in the end', async () => {
    served.faults.set({ match: /CUSDT.*\.zip$/, latencyMs: 400 })
    const running = startCli(backfill('CUSDT', QUIET), home.env)
    await until('two files sent', () => served.sent().length >= 2)
    running.child.kill('SIGKILL')
    await running.ended
    const orphan = embeddedPidOf(home.dir)
    expect(orphan, 'kill -9 leaves the server').to.be.a('number')
    served.faults.clear()
    const again = startCli(backfill('CUSDT', [...QUIET, '-v']), home.env)
    const ended = await again.ended
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 6 })
    expect(isRunning(orphan ?? 0), 'the orphan was adopted, and stopped').to.equal(false)
  })

  it('kill -9 of program and server together is recovered from', async () => {
    served.faults.set({ match: /DUSDT.*\.zip$/, latencyMs: 400 })
    const running = startCli(backfill('DUSDT', QUIET), home.env)
    await until('two files sent', () => served.sent().length >= 2)
    const server = embeddedPidOf(home.dir) ?? 0
    running.child.kill('SIGKILL')
    process.kill(server, 'SIGKILL')
    await running.ended
    await until('the server to be gone', () => !isRunning(server))
    served.faults.clear()
    const ended = await runCli(backfill('DUSDT', QUIET), home.env)
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended)).to.deep.include({ rows: 31 + 29 + 31 + 30 + 31 + 30 })
  })

  it(`backfill, worker and server at once have at most ${CONNECTIONS} connections each`, async () => {
    served.faults.set({ match: /EUSDT.*\.zip$/, latencyMs: 600 })
    const server = startCli(['server', '--port', '0'], home.env)
    const [, url = ''] = await printed(server, /candlelake serves (\S+)/)
    await until('the server to be ready', async () => (await ask(url, '/readyz')).status === 200)
    const worker = startCli(['worker'], home.env)
    const working = startCli(backfill('EUSDT', QUIET), home.env)
    const most = new Map<string, number>()
    let over = false
    void working.ended.then(() => (over = true))
    await until('the backfill to end', async () => {
      expect((await ask(url, '/')).status).to.equal(200)
      const counted = await askEmbedded<{ name: string; n: number }>(
        home.dir, "select application_name as name, count(*)::int as n from pg_stat_activity where application_name like 'candlelake%' group by 1",
      )
      for (const { name, n } of counted) most.set(name, Math.max(n, most.get(name) ?? 0))
      return over
    })
    const ended = await working.ended
    expect(ended.code, ended.stderr).to.equal(0)
    for (const { child } of [server, worker]) child.kill('SIGTERM')
    expect([(await server.ended).code, (await worker.ended).code]).to.deep.equal([143, 143])
    const ours = [server, worker, working].map(({ child }) => `candlelake ${child.pid}`)
    expect([...most.keys()].sort()).to.deep.equal(ours.sort())
    for (const [name, count] of most) expect(count, name).to.be.within(1, CONNECTIONS)
  })

  it('data of another major version are refused with the steps to move them, and not touched', async () => {
    expect((await runCli(['status', '-q'], home.env)).code).to.equal(0)
    const version = join(embeddedDataOf(home.dir) ?? '', 'PG_VERSION')
    const major = readFileSync(version, 'utf8')
    writeFileSync(version, '14\n')
    const ended = await runCli(['status', '--json'], home.env)
    writeFileSync(version, major)
    expect(ended.code).to.equal(1)
    const error = errorOf(ended)
    expect(error.code).to.equal('EMBEDDED_MAJOR')
    expect(error.message).to.include('14').and.to.include(major.trim())
    expect(error.do).to.include('pg_dump')
    expect(lastJson(await runCli(['status', '--json'], home.env))).to.include({ type: 'status' })
  })

  it('a home below a very long path works as well', async () => {
    const long = join(home.dir, ...Array.from({ length: 6 }, (_, i) => `a rather long name of a folder, number ${i}`))
    mkdirSync(long, { recursive: true })
    const ended = await runCli(['status', '--json'], { ...home.env, CANDLELAKE_HOME: long })
    await removeHome(long)
    expect(ended.code, ended.stderr).to.equal(0)
  })
})
