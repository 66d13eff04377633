import { expect } from 'chai'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { archive, type Archive } from '../support/archive.js'
import { ask } from '../support/ask.js'
import {
  errorOf, filesBelow, jsonLines, lastJson, printed, runCli, startCli, temporaryHome, until, type Home, type Running,
} from '../support/cli.js'
import { statesOf } from '../support/embedded.js'
import { freePort } from '../support/redis.js'

const MONTHS = ['2024-01', '2024-02', '2024-03', '2024-04']

type Status = {
  lake: { partitions: Record<string, number>; published: number; bytes: number }
  runs: { id: string; kind: string; state: string; total: number; partitions: Record<string, number>; rows: number; flagged: number }[]
  workers: { pid: number; stages: string[] }[]
  queue: Record<string, Record<string, number>>
}

describe('acceptance: workers, and those who watch over them', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home
  const running: Running[] = []

  before(async () => {
    served = await archive()
    home = await temporaryHome({ ARCHIVE_URL: served.url }, { up: true })
  })

  afterEach(async () => {
    for (const one of running.splice(0)) {
      one.child.kill('SIGTERM')
      await one.ended
    }
    served.faults.clear()
  })

  after(async () => {
    await home.remove()
    await served.close()
  })

  const start = (args: readonly string[]): Running => {
    const started = startCli(args, home.env)
    running.push(started)
    return started
  }
  const status = async (): Promise<Status> => {
    const ended = await runCli(['status', '--json'], home.env)
    expect(ended.code, ended.stderr).to.equal(0)
    return lastJson(ended) as Status
  }
  const detach = async (symbol: string): Promise<string> => {
    const args = ['backfill', '--symbols', symbol, '--intervals', '1d', '--from', '2024-01', '--to', '2024-04']
    const ended = await runCli([...args, '--detach', '--json'], home.env)
    expect(ended.code, ended.stderr).to.equal(0)
    expect(lastJson(ended)).to.include({ v: 1, type: 'run', total: 4, todo: 4 })
    return String(lastJson(ended)['run'])
  }

  it('what one process enqueues, two others do, each its own stages', async () => {
    await served.months({ symbol: 'SPLITUSDT', interval: '1d' }, MONTHS)
    const run = await detach('SPLITUSDT')
    expect(served.sent(), 'nothing is done yet').to.deep.equal([])
    const before = await status()
    expect(before.lake.partitions).to.include({ planned: 4, verified: 0 })
    expect(before.runs).to.have.length(1)
    expect(before.runs[0]).to.include({ id: run, kind: 'backfill', state: 'running', total: 4 })
    expect(before.queue['download']).to.include({ waiting: 4 })

    const first = start(['worker', '--stages', 'download,convert', '--concurrency', 'convert=1', '--json'])
    await until('all four converted', async () => (await statesOf(home.dir))['uploading'] === 4)
    expect(jsonLines(first.output().split('\n').find((line) => line.includes('"worker"')) ?? '')[0]).to.deep.include({
      v: 1, type: 'worker', stages: ['download', 'convert'],
    })
    const half = await status()
    expect(half.lake.partitions).to.include({ uploading: 4, verified: 0 })
    expect(half.workers.map(({ pid, stages }) => ({ pid, stages }))).to.deep.equal([{ pid: first.child.pid, stages: ['download', 'convert'] }])

    const second = start(['worker', '--stages', 'upload,verify'])
    await until('the run to be done', async () => (await statesOf(home.dir))['verified'] === 4)
    const done = await status()
    expect(done.lake.partitions).to.include({ verified: 4 })
    expect(done.workers.map(({ pid }) => pid).sort()).to.deep.equal([first.child.pid, second.child.pid].sort())
    expect(done.lake.bytes).to.be.greaterThan(0)
    second.child.kill('SIGTERM')
    expect((await second.ended).code).to.equal(143)
    first.child.kill('SIGINT')
    expect((await first.ended).code).to.equal(130)
    await runCli(['reconcile'], home.env)
    const after = await status()
    expect(after.workers).to.deep.equal([])
    expect(after.runs[0]).to.deep.include({ id: run, state: 'done', rows: 31 + 29 + 31 + 30 })
    const words = await runCli(['status'], home.env)
    expect(words.stdout).to.match(/^lake +4 verified +[\d.]+ KiB$/m).and.to.match(new RegExp(`^run +${run} backfill +4/4 +done$`, 'm'))
      .and.to.match(/^queue +empty$/m)
  })

  it('cancel gives up what no other run wants, and a later backfill does it after all', async () => {
    await served.months({ symbol: 'CANCELUSDT', interval: '1d' }, MONTHS)
    const first = await detach('CANCELUSDT')
    const other = await runCli(
      ['backfill', '--symbols', 'CANCELUSDT', '--intervals', '1d', '--from', '2024-03', '--to', '2024-03', '--detach', '--json'], home.env,
    )
    expect(first).to.not.equal(lastJson(other)['run'])
    const dry = await runCli(['cancel', first, '--dry-run', '--json'], home.env)
    expect(lastJson(dry)).to.deep.equal({ v: 1, type: 'cancel', run: first, unfinished: 4, dryRun: true })
    const cancelled = await runCli(['cancel', first, '--json'], home.env)
    expect(lastJson(cancelled)).to.deep.equal({ v: 1, type: 'cancel', run: first, cancelled: 3, kept: 1 })
    const wrong = await runCli(['cancel', 'nosuch', '--json'], home.env)
    expect(wrong.code).to.equal(1)
    expect(wrong.stderr).to.include('"RUN_ABSENT"')

    served.forget()
    start(['worker'])
    await until('the kept one', async () => (await statesOf(home.dir))['verified'] === 5)
    expect((await status()).lake.partitions).to.include({ cancelled: 3 })
    expect(served.sent()).to.have.length(1)
    const again = await runCli(
      ['backfill', '--symbols', 'CANCELUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-04', '--json', '-q'], home.env,
    )
    expect(again.code, again.stderr).to.equal(0)
    expect((await status()).lake.partitions).to.include({ verified: 8, cancelled: 0 })
    expect(served.sent(), 'the kept one is not fetched again').to.have.length(4)
  })

  it('a partition that two runs want at once is done once and counted in both', async () => {
    await served.months({ symbol: 'TWOUSDT', interval: '1d' }, MONTHS)
    served.faults.set({ match: 'TWOUSDT', latencyMs: 300 })
    served.forget()
    const args = ['backfill', '--symbols', 'TWOUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-04', '--json', '-q']
    const both = await Promise.all([runCli(args, home.env), runCli(args, home.env)])
    for (const ended of both) {
      expect(ended.code, ended.stderr).to.equal(0)
      expect(lastJson(ended)).to.deep.include({ rows: 121 })
    }
    expect(new Set(both.map((ended) => lastJson(ended)['run'])).size).to.equal(2)
    expect(served.sent()).to.have.length(4)
  })

  it('verify names what is no longer as it was written, and a forced backfill mends it', async () => {
    await served.months({ symbol: 'DRIFTUSDT', interval: '1d' }, MONTHS)
    const args = ['backfill', '--symbols', 'DRIFTUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-04']
    expect((await runCli([...args, '-q'], home.env)).code).to.equal(0)
    const clean = await runCli(['verify', 'spot-klines/DRIFTUSDT'], home.env)
    expect(clean.code, clean.stdout + clean.stderr).to.equal(0)
    expect(clean.stdout).to.match(/^Verified 4 stored partitions, 121 rows, in .*: all as recorded\.\n$/)

    const path = join(home.dir, 'lake/spot-klines/driftusdt/1d/2024-02/data.parquet')
    const good = readFileSync(path)
    // In the first page of the first column, right behind the magic number, and in the footer.
    for (const offset of [40, good.length - 20]) {
      const spoilt = Buffer.from(good)
      spoilt[offset] = (spoilt[offset] ?? 0) ^ 0x10
      writeFileSync(path, spoilt)
      const drifted = await runCli(['verify', '--json'], home.env)
      expect(drifted.code, drifted.stdout + drifted.stderr).to.equal(2)
      const checks = jsonLines(drifted.stdout).filter((line) => line['type'] === 'check')
      expect(checks.filter((check) => check['drift'] !== null).map((check) => check['partition'])).to.deep.equal(['spot-klines/DRIFTUSDT/1d/2024-02'])
      expect(lastJson(drifted)).to.include({ type: 'summary', partitions: checks.length, drifted: 1 })
    }
    const words = await runCli(['verify', 'spot-klines/DRIFTUSDT/1d/2024-0?'], home.env)
    expect(words.code).to.equal(2)
    expect(words.stdout).to.match(/^x spot-klines\/DRIFTUSDT\/1d\/2024-02 {2}\S/m)
    writeFileSync(path, good)
    await drifts(join(home.dir, 'lake/spot-klines/driftusdt/1d/2024-02/certificate.json'))
    writeFileSync(path, good.subarray(1))
    expect((await runCli([...args, '--force', '-q'], home.env)).code).to.equal(0)
    expect(readFileSync(path).equals(good), 'the same source gives the same bytes').to.equal(true)
    expect((await runCli(['verify', 'spot-klines/DRIFTUSDT', '-q'], home.env)).code).to.equal(0)
  })

  /** A certificate that is missing, spoilt or another is named by verify and written anew by reconcile. */
  const drifts = async (path: string): Promise<void> => {
    const good = readFileSync(path, 'utf8')
    const other = good.replace(/"rows": \d+/, '"rows": 1')
    expect(other).to.not.equal(good)
    const cases = [[null, 'certificate.json is missing'], ['{"v":', 'certificate.json cannot be parsed'], [other, "certificate.json is not the catalog's certificate"]] as const
    for (const [text, drift] of cases) {
      if (text === null) rmSync(path)
      else writeFileSync(path, text)
      const seen = await runCli(['verify', 'spot-klines/DRIFTUSDT/1d/2024-02', '--json'], home.env)
      expect(seen.code).to.equal(2)
      expect(jsonLines(seen.stdout)[0]).to.include({ type: 'check', drift })
      const mended = lastJson(await runCli(['reconcile', '--json'], home.env))['repaired']
      expect(mended, drift).to.include({ restarted: 0, certificates: 1 })
      expect(JSON.parse(readFileSync(path, 'utf8')), drift).to.deep.equal(JSON.parse(good))
    }
    expect((await runCli(['verify', 'spot-klines/DRIFTUSDT', '-q'], home.env)).code).to.equal(0)
  }

  it('an older revision is still served, verified and shown where the archive wrote a bad file over its source', async () => {
    const month = { symbol: 'OLDERUSDT', interval: '1d', month: '2024-02' }
    await served.month(month)
    const args = ['backfill', '--symbols', 'OLDERUSDT', '--intervals', '1d', '--from', '2024-02', '--to', '2024-02', '-q']
    expect((await runCli(args, home.env)).code).to.equal(0)
    const path = join(home.dir, 'lake/spot-klines/olderusdt/1d/2024-02/data.parquet')
    const good = readFileSync(path)
    const { lake: before } = lastJson(await runCli(['status', '--json'], home.env)) as Status
    await served.placeCsv(month, served.lines(month).map((line) => line.replace(/^(\d+),([^,]+),/, '$1,-1,')))
    expect((await runCli(args, home.env)).code, 'quarantined').to.equal(2)

    expect(readFileSync(path).equals(good), 'it is still there').to.equal(true)
    const { lake: after } = lastJson(await runCli(['status', '--json'], home.env)) as Status
    expect(after.partitions['quarantined']).to.equal((before.partitions['quarantined'] ?? 0) + 1)
    expect(after).to.include({ bytes: before.bytes, published: before.published })
    expect((await runCli(['status'], home.env)).stdout).to.include('1 of an older revision still served')
    const list = await runCli(['quarantine', 'list', 'spot-klines/OLDERUSDT'], home.env)
    expect(list.stdout).to.include('an older revision is still served')

    const verify = async (): Promise<Record<string, unknown>> => lastJson(await runCli(['verify', 'spot-klines/OLDERUSDT', '--json'], home.env))
    expect(await verify()).to.include({ partitions: 1, rows: 29, drifted: 0 })
    writeFileSync(path, good.subarray(1))
    expect(await verify()).to.include({ partitions: 1, drifted: 1 })
    const repaired = lastJson(await runCli(['reconcile', '--json'], home.env))['repaired']
    expect(repaired, 'its source is refused: it cannot be made again').to.include({ noted: 0, restarted: 0 })
    writeFileSync(path, good)
    expect(lastJson(await runCli(['reconcile', '--json'], home.env))['repaired']).to.include({ noted: 1, restarted: 0 })
    expect(await verify()).to.include({ partitions: 1, drifted: 0 })
  })

  it('reconcile says what it would do, and has nothing to do in a lake in order', async () => {
    const dry = await runCli(['reconcile', '--dry-run', '--json'], home.env)
    expect(dry.code, dry.stderr).to.equal(0)
    expect(lastJson(dry)).to.include({ v: 1, type: 'reconcile', lost: 0, dryRun: true })
    const done = lastJson(await runCli(['reconcile', '--json'], home.env))
    expect(done).to.include({ v: 1, type: 'reconcile', requeued: 0 })
    expect(done['swept']).to.include({ folders: 0, objects: 0, bytes: 0 })
  })

  it('doctor finds all well, or names the service that is not and what to do', async () => {
    const well = await runCli(['doctor', '--json'], home.env)
    expect(well.code, well.stdout).to.equal(0)
    const { items } = lastJson(well) as { items: { name: string; ok: boolean; detail: string; do: string | null }[] }
    expect(items.map(({ name }) => name)).to.include.members(['catalog', 'queue', 'lake', 'staging', 'archive', 'listing', 'engine', 'clock'])
    expect(items.filter(({ ok }) => !ok)).to.deep.equal([])
    const port = await freePort()
    const ill = await runCli(['doctor', '--json'], { ...home.env, QUEUE_URL: `redis://:canary@127.0.0.1:${port}` })
    expect(ill.code).to.equal(1)
    const found = (lastJson(ill) as { items: typeof items }).items
    expect(found.filter(({ ok }) => !ok).map(({ name }) => name)).to.deep.equal(['queue'])
    expect(found.find(({ name }) => name === 'queue')?.detail).to.include(`127.0.0.1:${port}`)
    expect(found.find(({ name }) => name === 'queue')?.do).to.include('QUEUE_URL')
    expect(ill.stdout + ill.stderr).to.not.include('canary')
    expect(filesBelow(join(home.dir, 'lake/_incoming')), 'its probe is gone').to.deep.equal([])
  })

  it('doctor names a lake and a staging of another catalog, and leaves them as they are', async () => {
    const at = (what: string): string => join(home.dir, `${what}-of-another`)
    const marker = JSON.stringify({ v: 1, catalog: 'another', numericType: 'double', replaced: [] })
    for (const what of ['lake', 'staging']) {
      mkdirSync(at(what))
      writeFileSync(join(at(what), '_catalog.json'), marker)
    }
    const doctor = async (env: Record<string, string>): Promise<{ name: string; ok: boolean; detail: string; do: string | null }[]> => {
      const ended = await runCli(['doctor', '--json'], { ...home.env, ...env })
      const { items } = lastJson(ended) as { items: { name: string; ok: boolean; detail: string; do: string | null }[] }
      return items.filter(({ ok }) => !ok)
    }
    const staged = await doctor({ STAGING_URL: pathToFileURL(at('staging')).href })
    expect(staged.map(({ name }) => name)).to.deep.equal(['staging'])
    expect(staged[0]?.detail).to.include('staging-of-another is of catalog another, this is catalog ')
    expect(staged[0]?.do).to.include('STAGING_URL')
    const newHome = await temporaryHome({ LAKE_URL: pathToFileURL(at('lake')).href, ARCHIVE_URL: home.env['ARCHIVE_URL'] ?? '' })
    const shown = await doctor({ ...newHome.env, STAGING_URL: pathToFileURL(join(newHome.dir, 'staging')).href })
    expect(shown.map(({ name }) => name)).to.deep.equal(['lake'])
    expect(shown[0]?.detail).to.include('lake-of-another is of catalog another, this is catalog ')
    expect(shown[0]?.do).to.include('catalog rebuild')
    await newHome.remove()
    for (const what of ['lake', 'staging']) expect(filesBelow(at(what))).to.deep.equal(['_catalog.json'])
    expect(readFileSync(join(at('lake'), '_catalog.json'), 'utf8')).to.equal(marker)
  })

  it('the numeric type of a lake that exists is not changed', async () => {
    const ended = await runCli(['status', '--json'], { ...home.env, NUMERIC_TYPE: 'decimal' })
    expect(ended.code).to.equal(1)
    expect(ended.stderr).to.include('"NUMERIC_TYPE_MISMATCH"').and.to.include('NUMERIC_TYPE')
  })

  it('a catalog keeps to its lake; one that was moved is taken where its objects are, and its worker is not running', async () => {
    const [from, to] = [join(home.dir, 'lake'), join(home.dir, 'elsewhere')]
    const moved = { ...home.env, LAKE_URL: pathToFileURL(to).href }
    const refused = await runCli(['status', '--json'], moved)
    expect(refused.code).to.equal(1)
    expect(errorOf(refused)).to.include({ code: 'LAKE_MISMATCH', at: pathToFileURL(from).href })
    expect(errorOf(refused).message).to.include(pathToFileURL(to).href)
    expect(errorOf(refused).do).to.include('candlelake lake moved')

    const empty = await runCli(['lake', 'moved', '--json'], moved)
    expect(errorOf(empty).message, 'nothing is there').to.match(/lacks spot-klines/)
    cpSync(from, to, { recursive: true })
    expect(lastJson(await runCli(['lake', 'moved', '--dry-run', '--json'], moved))).to.include({ dryRun: true })
    expect((await runCli(['status'], home.env)).code, 'a dry run moves nothing').to.equal(0)
    const done = await runCli(['lake', 'moved', '--json'], moved)
    expect(done.code, done.stderr).to.equal(0)
    expect(lastJson(done)).to.include({ from: pathToFileURL(from).href, to: pathToFileURL(to).href })
    expect(lastJson(done)['looked']).to.be.greaterThan(0)
    expect((await runCli(['status'], moved)).code).to.equal(0)
    expect(errorOf(await runCli(['status', '--json'], home.env)).code).to.equal('LAKE_MISMATCH')
    expect((await runCli(['lake', 'moved'], home.env)).code, 'and back').to.equal(0)
  })

  it('the server shows it all: page, board, metrics and health', async () => {
    const server = start(['server', '--port', '0'])
    const [, url = ''] = await printed(server, /candlelake serves (http:\/\/127\.0\.0\.1:\d+)/)
    for (const path of ['/livez', '/readyz', '/api/status']) expect((await ask(url, path)).status, path).to.equal(200)
    const page = await ask(url, '/')
    expect(page.status).to.equal(200)
    expect(page.headers['content-type']).to.include('text/html')
    expect(page.text).to.include('verified')
    for (const path of ['/board', '/board/']) {
      const board = await ask(url, path)
      expect(board.status, path).to.be.oneOf([200, 301, 302, 308])
    }
    const metrics = await ask(url, '/metrics')
    expect(metrics.status).to.equal(200)
    const verified = Number(/^candlelake_partitions\{[^}]*state="verified"[^}]*\} (\d+)$/m.exec(metrics.text)?.[1])
    expect(verified).to.equal((await status()).lake.partitions['verified'])
    expect(metrics.text).to.not.match(/symbol=|DRIFTUSDT/)
    server.child.kill('SIGINT')
    expect((await server.ended).code).to.equal(130)
  })
})
