import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openEngine, type EnginePool } from '../../../src/adapters/engine/engine-pool.js'
import { parseArchiveKey } from '../../../src/domain/archive-names.js'
import type { NumericType } from '../../../src/domain/candle.js'
import { PipelineError } from '../../../src/domain/errors.js'
import type { ConvertFigures, InspectFigures } from '../../../src/domain/figures.js'
import { monthRange } from '../../../src/domain/month.js'
import { parsePartitionKey, type Partition } from '../../../src/domain/partition.js'
import { canonical, readWithOracle, type OracleRow } from '../../support/csv-oracle.js'
import { EngineFolder, expectedRows, ParquetReader } from '../../support/engine-harness.js'
import { klineKeysOf, memberOf, realArchiveDir } from '../../support/real-archive.js'

const signal = new AbortController().signal
const root = realArchiveDir()

/** Values whose nearest double, written with eight decimals, is another number. */
const inexactValuesOf = (rows: readonly OracleRow[]): number =>
  rows.flatMap((row) => row.values).filter((value) => canonical(Number(value).toFixed(8)) !== value).length

if (root === null) console.error('REAL_ARCHIVE_DIR is not set: no test over real archive files runs')
else {
  describe('real archive files', function () {
    this.timeout(120_000)
    let folder: EngineFolder
    let engine: EnginePool
    let reader: ParquetReader

    before(async () => {
      folder = await EngineFolder.make()
      engine = openEngine({ slots: 1, memoryBytes: 256_000_000, tempBytes: 100_000_000 })
      reader = await ParquetReader.open()
    })
    afterEach(() => folder.clear())
    after(async () => {
      await engine.close()
      reader.close()
      await folder.remove()
    })

    async function convert(
      zip: string,
      partition: Partition,
      numericType: NumericType,
    ): Promise<{ figures: ConvertFigures; inspected: InspectFigures; rows: OracleRow[] }> {
      const request = await folder.request([{ zip: readFileSync(zip) }], { partition, numericType })
      const figures = await engine.convert(request, signal)
      const inspected = await engine.inspect({ partition, path: request.outPath, numericType }, signal)
      return { figures, inspected, rows: await reader.rows(request.outPath) }
    }

    const keys = klineKeysOf(root)
    it('are there', () => expect(keys.length).to.be.above(60))

    for (const key of keys) {
      it(`converts ${key} to the rows its CSV holds`, async () => {
        const file = parseArchiveKey(key)
        if (!file) throw new Error(`not an archive key: ${key}`)
        const partition = { ...file.series, month: file.month }
        const oracle = readWithOracle(memberOf(join(root, key)), monthRange(file.month)) ?? []
        for (const numericType of ['double', 'decimal'] as const) {
          const { figures, inspected, rows } = await convert(join(root, key), partition, numericType)
          expect(rows).to.deep.equal(expectedRows(oracle, numericType))
          expect(figures.rows).to.equal(oracle.length)
          expect(figures.inexactValues).to.equal(numericType === 'double' ? inexactValuesOf(oracle) : 0)
          expect(inspected.logicalHash).to.equal(figures.logicalHash)
          expect(inspected.sha256Hex).to.equal(figures.sha256Hex)
          expect(inspected.ordered).to.equal(true)
        }
      })
    }

    it('shows the oddities of BTCUSDT 1h 2018-02: an outage, 43 bars off the grid, an overlap', async () => {
      const key = keys.find((one) => one.endsWith('BTCUSDT-1h-2018-02.zip')) ?? ''
      const { inspected } = await convert(
        join(root, key),
        parsePartitionKey('spot-klines/BTCUSDT/1h/2018-02'),
        'double',
      )
      expect(inspected.offGridRows).to.equal(43)
      expect(inspected.overlappingRows).to.equal(1)
      expect(inspected.holesTotal).to.be.above(0)
      expect(inspected.holes[0]?.fromUs).to.equal(BigInt(Date.UTC(2018, 1, 8, 1)) * 1_000n)
    })

    it('shows the bar of BTCUSDT 1h 2020-12 that closes before it opens', async () => {
      const key = keys.find((one) => one.endsWith('BTCUSDT-1h-2020-12.zip')) ?? ''
      const { inspected } = await convert(
        join(root, key),
        parsePartitionKey('spot-klines/BTCUSDT/1h/2020-12'),
        'double',
      )
      expect(inspected.closeBeforeOpenRows).to.equal(1)
      expect(inspected.holesTotal).to.be.above(0)
    })

    const spot = parsePartitionKey('spot-klines/BTCUSDT/1m/2025-01')
    const um = parsePartitionKey('um-klines/BTCUSDT/1m/2025-01')
    const ACCEPTED = [
      { name: 'spot_klines_header_prepended', partition: spot, codes: ['HEADER_PRESENT'] },
      { name: 'futures_klines_header_stripped', partition: um, codes: [] },
      { name: 'spot_klines_rows_out_of_order', partition: spot, codes: ['ROWS_OUT_OF_ORDER'] },
      { name: 'spot_klines_gapped_bar_block', partition: spot, codes: [] },
    ]
    for (const { name, partition, codes } of ACCEPTED) {
      it(`accepts bad/${name}`, async () => {
        const zip = join(root, 'bad', `${name}.zip`)
        const { figures, inspected, rows } = await convert(zip, partition, 'double')
        expect(
          figures.findings.map((one) => one.code).filter((code) => !/^(INEXACT|MEMBER_NAME)/.test(code)),
        ).to.deep.equal(codes)
        expect(rows).to.deep.equal(expectedRows(readWithOracle(memberOf(zip), monthRange('2025-01')) ?? [], 'double'))
        expect(inspected.ordered).to.equal(true)
        expect(inspected.holesTotal).to.equal(name.includes('gapped') ? 1 : 0)
      })
    }

    const REFUSED = [
      { name: 'spot_klines_negative_volume', partition: spot, code: 'VOLUME_NEGATIVE' },
      { name: 'spot_klines_truncated_archive', partition: spot, code: 'ZIP_CORRUPT' },
      {
        name: 'damaged-ADABTC-1m-2021-11-27',
        partition: parsePartitionKey('spot-klines/ADABTC/1m/2021-11'),
        code: 'ZIP_CORRUPT',
      },
    ]
    for (const { name, partition, code } of REFUSED) {
      it(`refuses bad/${name}: ${code}`, async () => {
        const thrown: unknown = await convert(join(root, 'bad', `${name}.zip`), partition, 'double').catch(
          (error: unknown) => error,
        )
        expect(thrown).to.be.instanceOf(PipelineError)
        const error = thrown as PipelineError
        expect(error.code === 'CORRUPT' ? error.facts['finding'] : error.code, error.message).to.equal(code)
      })
    }
  })
}
