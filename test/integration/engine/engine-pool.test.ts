import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEngine, type EngineOptions, type EnginePool } from '../../../src/adapters/engine/engine-pool.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { partitionKeyOf } from '../../../src/domain/partition.js'
import type { ConvertRequest } from '../../../src/domain/ports/engine.js'
import { syntheticCandles } from '../../../src/archive-server/synthetic-candles.js'
import { csvOf, EngineFolder, HOURS, hourLines, ParquetReader, withCell, zipOf } from '../../support/engine-harness.js'

const never = new AbortController().signal
const zip = zipOf(csvOf(hourLines(744)))
const MINUTES = { ...HOURS, interval: '1m' } as const
const from = Date.UTC(2024, 0, 1)
const minutes = zipOf(
  csvOf([...syntheticCandles({ seed: 8, fromMs: from, toMs: from + 31 * 86_400_000, stepMs: 60_000 })]),
)
const february = { ...HOURS, month: '2024-02' }

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function gone(pids: readonly number[]): Promise<void> {
  for (let tries = 0; pids.some(isAlive); tries++) {
    if (tries > 200) throw new Error(`still alive: ${pids.filter(isAlive).join(', ')}`)
    await sleep(50)
  }
}

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )

const coded = async (promise: Promise<unknown>): Promise<PipelineError> => {
  const thrown = await failure(promise)
  expect(thrown).to.be.instanceOf(PipelineError)
  return thrown as PipelineError
}

describe('engine processes', function () {
  this.timeout(60_000)
  let folder: EngineFolder
  const engines: EnginePool[] = []
  const open = (o: Partial<EngineOptions> = {}): EnginePool => {
    const engine = openEngine({ slots: 1, memoryBytes: 256_000_000, tempBytes: 100_000_000, ...o })
    engines.push(engine)
    return engine
  }

  /** A request that takes long enough to be met in the middle: a month of 1m, eight times over. */
  const slow = (): Promise<ConvertRequest> =>
    folder.request(
      Array.from({ length: 8 }, () => ({ zip: minutes })),
      { partition: MINUTES },
    )

  beforeEach(async () => {
    folder = await EngineFolder.make()
  })
  afterEach(async () => {
    const pids = engines.flatMap((engine) => engine.pids)
    await Promise.all(engines.splice(0).map((engine) => engine.close()))
    await folder.remove()
    expect(pids.filter(isAlive), 'processes left by this test').to.deep.equal([])
  })

  it('start when first needed, and no more than there are slots', async () => {
    const engine = open({ slots: 2 })
    expect(engine.pids).to.deep.equal([])
    const requests = await Promise.all([1, 2, 3, 4, 5].map(() => folder.request([{ zip }])))
    await Promise.all(requests.map((request) => engine.convert(request, never)))
    expect(engine.pids).to.have.lengthOf(2)
  })

  for (const numericType of ['double', 'decimal'] as const) {
    it(`write the same bytes again, and in another process (${numericType})`, async () => {
      const [one, other] = [open(), open()]
      const requests = await Promise.all([1, 2, 3].map(() => folder.request([{ zip }], { numericType })))
      const figures = [
        await one.convert(requests[0]!, never),
        await one.convert(requests[1]!, never),
        await other.convert(requests[2]!, never),
      ]
      expect(one.pids).not.to.deep.equal(other.pids)
      expect(new Set(figures.map((f) => f.sha256Hex)).size).to.equal(1)
      expect(new Set(figures.map((f) => f.logicalHash)).size).to.equal(1)
    })
  }

  it('have one logical hash for one set of values, whatever the codec and the order of the source', async () => {
    const engine = open()
    const lines = hourLines(744)
    const a = await folder.request([{ zip }])
    const b = {
      ...(await folder.request([{ zip: zipOf(csvOf([...lines].reverse())) }])),
      parquet: { ...a.parquet, codec: 'snappy', dataPages: 'v1' } as const,
    }
    const c = await folder.request([{ zip: zipOf(csvOf(withCell(lines, 700, 2, '99999.00000001'))) }])
    const [fa, fb, fc] = [
      await engine.convert(a, never),
      await engine.convert(b, never),
      await engine.convert(c, never),
    ]
    expect(fb.sha256Hex).not.to.equal(fa.sha256Hex)
    expect(fb.logicalHash).to.equal(fa.logicalHash)
    expect(fc.logicalHash).not.to.equal(fa.logicalHash)
  })

  it('make a month of daily files, with the rows that two files share once', async () => {
    const engine = open()
    const lines = hourLines(72)
    const day = (from: number, to: number): Buffer => zipOf(csvOf(lines.slice(from, to)))
    const request = await folder.request([
      { zip: day(0, 25), day: '2024-01-01', checksum: 'missing' },
      { zip: day(24, 48), day: '2024-01-02' },
      { zip: day(48, 72), day: '2024-01-03', checksum: 'missing' },
    ])
    const figures = await engine.convert(request, never)
    expect(figures).to.include({ rows: 72, sourceRows: 73, duplicatesDropped: 1 })
    expect(figures.findings.find((one) => one.code === 'CHECKSUM_MISSING')?.count).to.equal(2)
    const whole = await engine.convert(await folder.request([{ zip: zipOf(csvOf(lines)) }]), never)
    expect(figures.logicalHash).to.equal(whole.logicalHash)
  })

  it('put what follows from the source into the footer, and nothing else', async () => {
    const engine = open()
    const request = await folder.request([{ zip }])
    await engine.convert(request, never)
    const { footer } = await engine.inspect({ partition: HOURS, path: request.outPath, numericType: 'double' }, never)
    const { source } = request.sources[0]!
    expect(footer.metadata).to.deep.equal({
      'candlelake.partition': partitionKeyOf(HOURS),
      'candlelake.revision': request.revision,
      'candlelake.rows': '744',
      'candlelake.schema_version': '1',
      'candlelake.sources': JSON.stringify([{ key: source.key, sha256Hex: source.sha256Hex }]),
    })
    const reader = await ParquetReader.open()
    const types = await reader.query(
      `SELECT name, type, logical_type FROM parquet_schema('${request.outPath}') WHERE name LIKE '%_time'`,
    )
    reader.close()
    expect(JSON.stringify(types)).to.match(/isAdjustedToUTC=1.*MICROS/)
  })

  it('that abort cost one request: its neighbours finish, and the next one gets a new process', async () => {
    const engine = open({ slots: 2, crashOn: partitionKeyOf(february) })
    const poison = await folder.request([{ zip }], { partition: february })
    const neighbours = await Promise.all([1, 2, 3, 4].map(() => folder.request([{ zip }])))
    const good = neighbours.map((request) => engine.convert(request, never))
    const error = await coded(engine.convert(poison, never))
    expect(error.code).to.equal('ENGINE_CRASHED')
    expect(error.facts['signal']).to.equal('SIGABRT')
    expect(await Promise.all(good)).to.have.lengthOf(4)
    expect(await engine.convert(neighbours[0]!, never)).to.include({ rows: 744 })
  })

  it('that are killed while idle are replaced, and while busy reject with the signal', async () => {
    const engine = open()
    const request = await folder.request([{ zip }])
    await engine.convert(request, never)
    const [idle] = engine.pids
    process.kill(idle!, 'SIGKILL')
    while (engine.pids.includes(idle!)) await sleep(10)
    expect(await engine.convert(request, never)).to.include({ rows: 744 })
    const [busy] = engine.pids
    expect(busy).not.to.equal(idle)
    const error = coded(engine.convert(await slow(), never))
    await sleep(20)
    process.kill(busy!, 'SIGKILL')
    expect((await error).facts).to.include({ signal: 'SIGKILL', exitCode: null })
  })

  it('end with an abort, which rejects with its reason and leaves no file', async () => {
    const engine = open()
    const request = await folder.request([{ zip }])
    await engine.convert(request, never)
    const [pid] = engine.pids
    const long = await slow()
    const controller = new AbortController()
    const rejected = failure(engine.convert(long, controller.signal))
    const queued = new AbortController()
    const waiting = failure(engine.convert(request, queued.signal))
    const reason = new Error('lease lost')
    await sleep(20)
    queued.abort(reason)
    controller.abort(reason)
    expect(await rejected).to.equal(reason)
    expect(await waiting).to.equal(reason)
    await gone([pid!])
    expect(existsSync(long.outPath)).to.equal(false)
    expect(existsSync(`${long.outPath}.partial`)).to.equal(false)
    expect(await engine.convert(request, never)).to.include({ rows: 744 })
  })

  it('end with the pool: what runs and what waits is rejected', async () => {
    const engine = open()
    const request = await folder.request([{ zip }])
    await engine.convert(request, never)
    const { pids } = engine
    const [running, waiting] = [coded(engine.convert(await slow(), never)), coded(engine.convert(request, never))]
    await sleep(20)
    await engine.close()
    expect((await running).code).to.equal('ENGINE_FAILED')
    expect((await waiting).code).to.equal('ENGINE_FAILED')
    expect((await coded(engine.convert(request, never))).code).to.equal('ENGINE_FAILED')
    await gone(pids)
  })

  it('end with a parent that is killed', async () => {
    const script = fileURLToPath(new URL('../../support/engine-parent.js', import.meta.url))
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const { pids, folder: path } = JSON.parse(line.toString()) as { pids: number[]; folder: string }
    try {
      expect(pids.filter(isAlive), 'the engine process must live first').to.have.lengthOf(1)
      parent.kill('SIGKILL')
      await once(parent, 'exit')
      await gone(pids)
    } finally {
      await rm(path, { recursive: true, force: true })
    }
  })

  it('outlive Ctrl-C, and hold no environment of ours', async () => {
    process.env['CANARY_SECRET'] = 'canary-4711'
    const engine = open()
    const request = await folder.request([{ zip }])
    await engine.convert(request, never)
    delete process.env['CANARY_SECRET']
    const [pid] = engine.pids
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.to.include('canary-4711')
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid!, signal)
    expect(await engine.convert(request, never)).to.include({ rows: 744 })
    expect(engine.pids).to.deep.equal([pid])
  })

  it('say DISK_FULL when the disk is full', async () => {
    const engine = open()
    const request = await folder.request([{ zip }])
    symlinkSync('/dev/full', `${request.outPath}.partial`)
    expect((await coded(engine.convert(request, never))).code).to.equal('DISK_FULL')
  })

  it('say ENGINE_MEMORY when DuckDB may use too little of it', async () => {
    const engine = open({ memoryBytes: 300_000 })
    const request = await folder.request([{ zip }])
    expect((await coded(engine.convert(request, never))).code).to.equal('ENGINE_MEMORY')
  })
})
