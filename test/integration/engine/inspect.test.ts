import { DuckDBInstance } from '@duckdb/node-api'
import { expect } from 'chai'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openEngine, type EnginePool } from '../../../src/adapters/engine/engine-pool.js'
import type { NumericType } from '../../../src/domain/candle.js'
import { PipelineError } from '../../../src/domain/errors.js'
import type { InspectFigures } from '../../../src/domain/figures.js'
import type { Interval } from '../../../src/domain/interval.js'
import { csvOf, EngineFolder, HOURS, hourLines, withCell, zipOf } from '../../support/engine-harness.js'

const never = new AbortController().signal
const HOUR_US = 3_600_000_000n
const START_US = BigInt(Date.UTC(2024, 0, 1)) * 1_000n
const DAY = 86_400_000

describe('inspection of an object', function () {
  this.timeout(60_000)
  let folder: EngineFolder
  let engine: EnginePool

  before(async () => {
    folder = await EngineFolder.make()
    engine = openEngine({ slots: 1, memoryBytes: 256_000_000, tempBytes: 100_000_000 })
  })
  after(async () => {
    await engine.close()
    await folder.remove()
  })

  const made = async (
    lines: readonly string[],
    interval: Interval = '1h',
    numericType: NumericType = 'double',
  ): Promise<string> => {
    const partition = { ...HOURS, interval }
    const request = await folder.request([{ zip: zipOf(csvOf(lines)) }], { partition, numericType })
    await engine.convert(request, never)
    return request.outPath
  }
  const inspect = (
    path: string,
    interval: Interval = '1h',
    numericType: NumericType = 'double',
  ): Promise<InspectFigures> => engine.inspect({ partition: { ...HOURS, interval }, path, numericType }, never)
  const refusal = async (path: string): Promise<string> => {
    const thrown: unknown = await inspect(path).catch((error: unknown) => error)
    expect(thrown).to.be.instanceOf(PipelineError)
    return (thrown as PipelineError).code
  }
  /** One-day bars that open at these days of 2024-01, `hours` later. */
  const bars = (days: readonly number[], hours = 0): string[] =>
    days.map((day) => {
      const open = Date.UTC(2024, 0, day) + hours * 3_600_000
      return `${open},5,6,4,5,1,${open + DAY - 1},5,1,1,5,0`
    })

  for (const numericType of ['double', 'decimal'] as const) {
    it(`counts what bars say together (${numericType})`, async () => {
      let lines = hourLines(48)
      lines = withCell(lines, 3, 2, '0.5') // high below the rest
      lines = withCell(lines, 7, 3, '99999') // low above the rest
      lines = withCell(lines, 9, 6, String(Date.UTC(2024, 0, 1, 8))) // closes before it opens
      lines = withCell(lines, 12, 6, String(Date.UTC(2024, 0, 1, 13, 30))) // closes after the next opens
      for (const field of [5, 7, 8, 9, 10]) lines = withCell(lines, 20, field, '0')
      lines = lines.filter((_, hour) => hour < 30 || hour > 33)
      const figures = await inspect(await made(lines, '1h', numericType), '1h', numericType)
      expect(figures).to.include({
        rows: 44,
        ordered: true,
        ohlcViolations: 2,
        closeBeforeOpenRows: 1,
        overlappingRows: 1,
        zeroVolumeRows: 1,
        offGridRows: 0,
        holesTotal: 1,
        firstOpenUs: START_US,
        lastOpenUs: START_US + 47n * HOUR_US,
        lastCloseUs: START_US + 48n * HOUR_US - 1_000n,
      })
      expect(figures.holes).to.deep.equal([
        { fromUs: START_US + 30n * HOUR_US, toUs: START_US + 34n * HOUR_US, missing: 4 },
      ])
      expect(figures.footer).to.include({ rows: 44, minOpenUs: START_US, maxOpenUs: START_US + 47n * HOUR_US })
    })
  }

  it('counts bars off the grid, which fill the slots that they open in', async () => {
    const lines = hourLines(10).map((line, hour) => {
      const open = Date.UTC(2024, 0, 1, hour, hour >= 4 && hour < 7 ? 28 : 0)
      return [open, ...line.split(',').slice(1)].join(',')
    })
    const figures = await inspect(await made(lines.filter((_, hour) => hour !== 5)))
    expect(figures.offGridRows).to.equal(2)
    expect(figures.holes).to.deep.equal([
      { fromUs: START_US + 5n * HOUR_US, toUs: START_US + 6n * HOUR_US, missing: 1 },
    ])
  })

  it('counts weeks from Monday', async () => {
    const figures = await inspect(await made(bars([1, 8, 22, 29]), '1w'), '1w')
    expect(figures.holes.map((hole) => Number(hole.fromUs) / 1_000)).to.deep.equal([Date.UTC(2024, 0, 15)])
    expect((await inspect(await made(bars([2, 9]), '1w'), '1w')).offGridRows).to.equal(2)
  })

  it('takes the phase of three-day bars from the bars where all agree', async () => {
    const agreeing = await inspect(await made(bars([3, 6, 12]), '3d'), '3d')
    expect(agreeing).to.include({ offGridRows: 0, holesTotal: 1 })
    const differing = await inspect(await made(bars([3, 6, 10]), '3d'), '3d')
    expect(differing.offGridRows).to.be.above(0)
  })

  it('knows the calendar month', async () => {
    expect(await inspect(await made(bars([1]), '1mo'), '1mo')).to.include({ rows: 1, offGridRows: 0, holesTotal: 0 })
    expect(await inspect(await made(bars([2]), '1mo'), '1mo')).to.include({ offGridRows: 1 })
  })

  it('lists a thousand holes and counts them all', async () => {
    const lines = [...Array(2_600).keys()].map((i) => {
      const open = Date.UTC(2024, 0, 1) + i * 2 * 60_000
      return `${open},5,6,4,5,1,${open + 59_999},5,1,1,5,0`
    })
    const figures = await inspect(await made(lines, '1m'), '1m')
    expect(figures.holesTotal).to.equal(2_599)
    expect(figures.holes).to.have.lengthOf(1_000)
  })

  it('reads footer statistics whose bytes happen to be text', async () => {
    const isText = (us: bigint): boolean =>
      [...Array(8).keys()].every((byte) => ((us >> BigInt(8 * byte)) & 0x80n) === 0n)
    const lines = hourLines(744)
    const at = lines.findIndex((line) => isText(BigInt(line.split(',')[0]!) * 1_000n))
    expect(at, 'an hour whose bytes are text').to.be.at.least(0)
    const figures = await inspect(await made([lines[at]!]))
    expect(figures.footer.minOpenUs).to.equal(figures.firstOpenUs)
  })

  it('refuses what is not the object: absent, cut off, damaged, no Parquet', async () => {
    const path = await made(hourLines(744))
    const bytes = readFileSync(path)
    const write = (name: string, content: Buffer): string => {
      const to = join(folder.path, name)
      writeFileSync(to, content)
      return to
    }
    expect(await refusal(join(folder.path, 'absent'))).to.equal('OBJECT_CORRUPT')
    expect(await refusal(write('empty', Buffer.alloc(0)))).to.equal('OBJECT_CORRUPT')
    expect(await refusal(write('text', Buffer.from('not a Parquet file at all')))).to.equal('OBJECT_CORRUPT')
    expect(await refusal(write('cut', bytes.subarray(0, bytes.length - 100)))).to.equal('OBJECT_CORRUPT')
    expect(await refusal(write('headless', bytes.subarray(400)))).to.equal('OBJECT_CORRUPT')
  })

  it('gives damaged values another hash, or refuses them', async () => {
    const path = await made(hourLines(744))
    const { logicalHash } = await inspect(path)
    const bytes = readFileSync(path)
    for (let at = 1_000; at < 20_000; at += 1_000) {
      const damaged = join(folder.path, 'damaged')
      writeFileSync(damaged, Buffer.concat([bytes.subarray(0, at), Buffer.alloc(3, 0x55), bytes.subarray(at + 3)]))
      const outcome = await inspect(damaged).catch((thrown: unknown) => thrown)
      if (outcome instanceof PipelineError) expect(['OBJECT_CORRUPT', 'VERIFY_MISMATCH']).to.include(outcome.code)
      else expect((outcome as InspectFigures).logicalHash, `damaged at ${at}`).not.to.equal(logicalHash)
    }
  })

  it('refuses objects of another shape, symbol or interval, with missing values, or none', async () => {
    const path = await made(hourLines(24))
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    const rewritten = async (name: string, select: string): Promise<string> => {
      const to = join(folder.path, name)
      await connection.run(`COPY (SELECT ${select} FROM read_parquet('${path}')) TO '${to}' (FORMAT parquet)`)
      return to
    }
    expect((await inspect(await rewritten('same', '*'))).rows).to.equal(24)
    const others = {
      symbol: `* REPLACE ('ETHUSDT' AS symbol)`,
      interval: `* REPLACE ('1m' AS "interval")`,
      missing: `* REPLACE (NULLIF(trades, max(trades) OVER ()) AS trades)`,
      column: '* EXCLUDE (trades)',
      type: '* REPLACE (open::FLOAT AS open)',
      order: 'close_time, * EXCLUDE (close_time)',
    }
    for (const [name, select] of Object.entries(others)) {
      const code = await refusal(await rewritten(name, select))
      expect(code, name).to.equal('VERIFY_MISMATCH')
    }
    connection.closeSync()
  })
})
