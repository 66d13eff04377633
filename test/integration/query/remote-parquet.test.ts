import { expect } from 'chai'
import { copyFile, mkdir, readdir, readFile, truncate, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Agent } from 'undici'
import { httpSource } from '../../../src/adapters/remote-parquet/http-source.js'
import { RangeCache } from '../../../src/adapters/remote-parquet/range-cache.js'
import { RemoteParquet, type FetchedPart } from '../../../src/adapters/remote-parquet/remote-parquet.js'
import { startArchiveServer, type ArchiveServer } from '../../../src/archive-server/server.js'
import { planRanges, sizeOf } from '../../../src/domain/plan-ranges.js'
import type { RangeSource } from '../../../src/domain/ports/range-source.js'
import { CandleFiles } from '../../support/candle-files.js'
import { failingWith } from '../../support/failing-with.js'
import { tempFolder } from '../../support/temp-folder.js'

const KEY = 'data/month.parquet'
const signal = new AbortController().signal
const day = (n: number): bigint => BigInt(Date.UTC(2024, 0, n)) * 1_000n
const DAY_3 = { columns: ['open_time', 'close'], range: { fromUs: day(3), toUs: day(4) } }
const SQL_DAY_3 = (path: string, columns = 'count(*), sum(close::DECIMAL(18,2)), min(open_time), max(open_time)'): string =>
  `SELECT ${columns} FROM read_parquet('${path}')
   WHERE open_time >= make_timestamptz(${day(3)}) AND open_time < make_timestamptz(${day(4)})`

describe('Parquet by ranges over HTTP', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let server: ArchiveServer
  let files: CandleFiles
  let agent: Agent
  let served: string
  let made: string
  let caches = 0

  before(async () => {
    folder = await tempFolder()
    files = await CandleFiles.in(join(folder.path, 'made'))
    // 31 days of 1m in row groups of 4,096: 2.8 days each.
    made = await files.write('spot-klines/BTCUSDT/1m/2024-01', { rowGroup: 4_096 })
    served = join(folder.path, 'served', KEY)
    await mkdir(dirname(served), { recursive: true })
    server = await startArchiveServer({ root: join(folder.path, 'served') })
    agent = new Agent()
  })

  beforeEach(async () => {
    await copyFile(made, served)
    server.requests.length = 0
    server.faults.clear()
  })

  after(async () => {
    files.close()
    await agent.destroy()
    await server.close()
    await folder.remove()
  })

  const cacheDir = (): string => join(folder.path, `cache-${caches}`)
  const remote = (o: { maxBytes?: number; fresh?: boolean; tailBytes?: number } = {}): RemoteParquet => {
    if (o.fresh !== false) caches++
    const cache = new RangeCache({ dir: cacheDir(), maxBytes: o.maxBytes ?? 1e9, graceMs: 0 })
    return new RemoteParquet(cache, { gapBytes: 0, tailBytes: o.tailBytes ?? 8_192 })
  }
  const source = () => httpSource(`${server.url}/${KEY}`, agent)
  const sent = (): number => server.requests.reduce((sum, { bytes }) => sum + bytes, 0)

  it('reads footer and wanted chunks, and the server sent exactly what the cost says', async () => {
    const part = await remote().fetch(source(), DAY_3, signal)
    const plan = planRanges(part.footer, DAY_3)
    expect(plan.groups).to.deep.equal([0, 1])
    expect(part.cost.requests).to.equal(server.requests.length)
    expect(part.cost.bytesRead).to.equal(sent())
    expect(part.cost.cacheHits).to.equal(0)
    const footer = part.footer.bytes - part.footer.start
    expect(sent()).to.be.at.most(Math.max(footer, 8_192) + footer + plan.bytes)
    expect(sent()).to.be.lessThan(part.footer.bytes / 5)
    expect(await files.query(SQL_DAY_3(part.path))).to.deep.equal(await files.query(SQL_DAY_3(made)))
  })

  it('a second reader asks for the ETag only, and another column for that column only', async () => {
    await remote().fetch(source(), DAY_3, signal)
    server.requests.length = 0
    const again = await remote({ fresh: false }).fetch(source(), DAY_3, signal)
    expect(again.cost).to.deep.equal({ requests: 1, bytesRead: 0, cacheHits: 1 })
    expect(server.requests.map(({ method, bytes }) => [method, bytes])).to.deep.equal([['HEAD', 0]])
    const wider = await remote({ fresh: false }).fetch(
      source(),
      { ...DAY_3, columns: ['open_time', 'close', 'volume'] },
      signal,
    )
    expect(wider.cost.bytesRead).to.equal(planRanges(wider.footer, { ...DAY_3, columns: ['volume'] }).bytes)
  })

  it('nothing that was not fetched is ever taken for a value', async () => {
    const part = await remote().fetch(source(), DAY_3, signal)
    const holes = await poisoned(part, 0x00)
    for (const path of [part.path, holes, await poisoned(part, 0xa7), await poisoned(part, 0xff)]) {
      expect(await files.query(SQL_DAY_3(path)), path).to.deep.equal(await files.query(SQL_DAY_3(made)))
      for (const sql of [SQL_DAY_3(path, 'sum(volume::DECIMAL(18,3))'), `SELECT sum(close::DECIMAL(18,2)) FROM read_parquet('${path}')`]) {
        const failed = await files.query(sql).then(
          () => null,
          (thrown: unknown) => String(thrown),
        )
        expect(failed, sql).to.match(/TProtocolException|Error/)
      }
    }
  })

  it('an object that was replaced in mid-read is PRECONDITION_FAILED, and nothing of it is mixed', async () => {
    const reader = remote()
    const from = source()
    const swapped = {
      ...from,
      tail: async (...o: Parameters<typeof from.tail>) => {
        const answer = await from.tail(...o)
        await files.connection.run(
          `COPY (SELECT * REPLACE (close + 1 AS close) FROM read_parquet('${made}')) TO '${served}'`,
        )
        return answer
      },
    }
    await failingWith('PRECONDITION_FAILED', reader.fetch(swapped, DAY_3, signal))
    expect(server.requests.some(({ status }) => status === 412)).to.equal(true)
    const now = await reader.fetch(source(), DAY_3, signal)
    expect(await files.query(SQL_DAY_3(now.path))).to.deep.equal(await files.query(SQL_DAY_3(served)))
  })

  it('a corrupt footer and a truncated object are OBJECT_CORRUPT', async () => {
    const bytes = await readFile(made)
    const damage: readonly (readonly [string, (copy: Buffer) => Buffer])[] = [
      ['no magic', (copy) => (copy.fill(0, copy.length - 4), copy)],
      ['a length beyond the file', (copy) => (copy.writeUInt32LE(0x7fff_ffff, copy.length - 8), copy)],
      ['a footer of zeros', (copy) => copy.fill(0, copy.length - 2_000, copy.length - 8)],
      ['a footer of noise', (copy) => copy.fill(0xee, copy.length - 2_000, copy.length - 8)],
      ['cut in half', (copy) => copy.subarray(0, copy.length / 2)],
      ['empty', () => Buffer.alloc(0)],
      ['text', () => Buffer.from('no Parquet at all, and more of it')],
    ]
    for (const [what, change] of damage) {
      await writeFile(served, change(Buffer.from(bytes)))
      const error = await failingWith('OBJECT_CORRUPT', remote().fetch(source(), DAY_3, signal))
      expect(error.at, what).to.include(KEY)
    }
  })

  it('a server that cuts its answers is STORE_UNREACHABLE, and the cache is not spoilt', async () => {
    const reader = remote()
    server.faults.set({ truncate: true })
    await failingWith('STORE_UNREACHABLE', reader.fetch(source(), DAY_3, signal))
    expect(server.faults.counts.truncate).to.be.greaterThan(0)
    server.faults.clear()
    const part = await reader.fetch(source(), DAY_3, signal)
    expect(await files.query(SQL_DAY_3(part.path))).to.deep.equal(await files.query(SQL_DAY_3(made)))
  })

  it('an abort ends the reading', async () => {
    const abort = new AbortController()
    server.faults.set({ latencyMs: 5_000 })
    const reading = remote().fetch(source(), DAY_3, abort.signal)
    setTimeout(() => abort.abort(new Error('enough')), 50)
    expect(
      await reading.then(
        () => null,
        (thrown: unknown) => (thrown as Error).message,
      ),
    ).to.equal('enough')
  })

  it('a damaged index or a short file is fetched anew', async () => {
    const part = await remote().fetch(source(), DAY_3, signal)
    for (const spoil of [() => writeFile(`${part.path}.index`, '{"etag":'), () => truncate(part.path, 100)]) {
      await spoil()
      const again = await remote({ fresh: false }).fetch(source(), DAY_3, signal)
      expect(again.cost.bytesRead).to.be.greaterThan(0)
      expect(await files.query(SQL_DAY_3(again.path))).to.deep.equal(await files.query(SQL_DAY_3(made)))
    }
  })

  it('one who found nothing empties nothing that another wrote meanwhile', async () => {
    const cache = new RangeCache({ dir: join(folder.path, 'shared'), maxBytes: 1e9 })
    const version = { etag: '"1"', bytes: 100 }
    const [one, other] = [await cache.entry('a', version), await cache.entry('a', version)]
    await one.add((write) => write({ start: 40, bytes: Buffer.from('written') }))
    const failed = await other.add(() => Promise.reject(new Error('cut'))).catch((thrown: unknown) => String(thrown))
    expect(failed).to.equal('Error: cut')
    const now = await cache.entry('a', version)
    expect(now.missing([{ start: 40, end: 47 }])).to.deep.equal([])
    expect(String(await now.read({ start: 40, end: 47 }))).to.equal('written')
  })

  it('a cached footer that turns out to be spoilt is fetched once more', async () => {
    const part = await remote().fetch(source(), DAY_3, signal)
    await writeFile(part.path, Buffer.alloc(part.footer.bytes))
    const again = await remote({ fresh: false }).fetch(source(), DAY_3, signal)
    expect(again.cost.bytesRead).to.be.greaterThan(0)
    expect(await files.query(SQL_DAY_3(again.path))).to.deep.equal(await files.query(SQL_DAY_3(made)))
  })

  it('the cache lets go of what was used longest ago, and only what is over its limit', async () => {
    const small = remote({ maxBytes: 1 })
    await small.fetch(source(), DAY_3, signal)
    expect((await readdir(cacheDir())).filter((name) => name.endsWith('.parquet'))).to.deep.equal([])
    const kept = remote()
    const part = await kept.fetch(source(), DAY_3, signal)
    await writeFile(join(dirname(served), 'other.parquet'), await readFile(made))
    await utimes(`${part.path}.index`, new Date(0), new Date(0))
    const other = httpSource(`${server.url}/data/other.parquet`, agent)
    const limit = part.cost.bytesRead + 100
    await remote({ fresh: false, maxBytes: limit }).fetch(other, DAY_3, signal)
    const left = (await readdir(cacheDir())).filter((name) => name.endsWith('.parquet'))
    expect(left).to.have.length(1)
    expect(part.path.endsWith(left[0] ?? '')).to.equal(false)
  })

  it('an eviction comes after many bytes, and takes files along that have no index', async () => {
    const dir = join(folder.path, 'grown')
    await mkdir(dir)
    const cache = new RangeCache({ dir, maxBytes: 2_000, graceMs: 1_000 })
    const leave = async (name: string, usedS: number): Promise<void> => {
      await writeFile(join(dir, name), 'left behind')
      await utimes(join(dir, name), new Date(usedS * 1_000), new Date(usedS * 1_000))
    }
    const nowS = Date.now() / 1_000
    await leave('old.parquet', nowS - 60)
    await leave('being-written.parquet', nowS + 60)
    await cache.grow(1)
    expect(await readdir(dir)).to.deep.equal(['being-written.parquet'])
    await leave('old.parquet', nowS - 60)
    await cache.grow(99)
    expect(await readdir(dir)).to.have.length(2)
    await cache.grow(1)
    expect(await readdir(dir)).to.deep.equal(['being-written.parquet'])
  })

  it('requests for all objects at a time are limited, and the pieces are short', async () => {
    let [now, most, longest] = [0, 0, 0]
    const bytes = await readFile(made)
    const big = 200 * 1024 ** 2
    const from = (n: number): RangeSource => ({
      id: `big/${n}`,
      cacheId: `big/${n}`,
      planned: { etag: '"1"', bytes: big },
      head: () => Promise.reject(new Error('planned')),
      tail: () => Promise.reject(new Error('planned')),
      read: async ({ start, end }) => {
        most = Math.max(most, ++now)
        longest = Math.max(longest, end - start)
        await new Promise((resolve) => setTimeout(resolve, 100))
        now--
        const piece = Buffer.alloc(end - start)
        bytes.copy(piece, Math.max(0, big - bytes.length - start), Math.max(0, start - big + bytes.length))
        return piece
      },
    })
    const reader = remote()
    const want = { ...DAY_3, also: [{ start: 1_000_000, end: 42_000_000 }] }
    await Promise.all([1, 2, 3, 4].map((n) => reader.fetch(from(n), want, signal)))
    expect(most).to.be.within(9, 16)
    expect(longest).to.be.at.most(4 * 1024 ** 2)
  })

  /** The part with everything that was not fetched set to one byte. */
  async function poisoned({ path, footer }: FetchedPart, fill: number): Promise<string> {
    const bytes = Buffer.alloc(footer.bytes, fill)
    const have = await readFile(path)
    const { ranges } = planRanges(footer, DAY_3)
    for (const { start, end } of [{ start: 0, end: 4 }, ...ranges, { start: footer.start, end: footer.bytes }]) {
      have.copy(bytes, start, start, end)
    }
    expect(sizeOf(ranges)).to.be.greaterThan(0)
    const to = join(folder.path, `poisoned-${fill}.parquet`)
    await writeFile(to, bytes)
    return to
  }
})
