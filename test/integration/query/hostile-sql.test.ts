import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { CandleQuery } from '../../../src/lake/candle-query.js'
import { CandleFiles } from '../../support/candle-files.js'
import { filesBelow } from '../../support/cli.js'
import { HOSTILE } from '../../support/hostile-sql.js'
import { tempFolder } from '../../support/temp-folder.js'

describe('hostile SQL', function () {
  this.timeout(120_000)
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let lake: ParquetLake
  let query: CandleQuery
  let unchanged: Readonly<Record<string, string>>
  let file: string

  before(async () => {
    folder = await tempFolder()
    const root = join(folder.path, 'lake')
    const files = await CandleFiles.in(root)
    file = await files.write('spot-klines/BTCUSDT/1h/2024-01')
    await files.write('spot-klines/BTCUSDT/1h/2024-02')
    await files.query(
      `COPY (SELECT 'secret' AS secret) TO '${join(folder.path, 'outside.parquet')}' (FORMAT parquet)`,
    )
    files.close()
    lake = await ParquetLake.open(root)
    query = new CandleQuery(lake, { memoryBytes: 128 * 1024 ** 2, timeoutSeconds: 4 })
    unchanged = await hashes()
  })

  after(async () => {
    await query.close()
    await lake.close()
    await folder.remove()
  })

  const hashes = async (): Promise<Readonly<Record<string, string>>> => {
    const names = filesBelow(folder.path)
    const all = await Promise.all(
      names.map(
        async (name) =>
          [
            name,
            createHash('sha256')
              .update(await readFile(join(folder.path, name)))
              .digest('hex'),
          ] as const,
      ),
    )
    return Object.fromEntries(all)
  }

  const outcome = async (sql: string): Promise<string> => {
    try {
      return JSON.stringify(await query.sql(sql).rows())
    } catch (thrown) {
      if (thrown instanceof PipelineError) return thrown.code
      throw thrown
    }
  }

  it('are more than fifty', () => {
    expect(HOSTILE.length).to.be.greaterThan(50)
  })

  for (const [what, text, ...codes] of HOSTILE) {
    it(`that ${what} ends with a code, and nothing has changed`, async () => {
      const sql = text
        .replaceAll('PLACE', folder.path)
        .replaceAll('LAKE', join(folder.path, 'lake'))
        .replaceAll('FILE', file)
      expect(await outcome(sql)).to.be.oneOf(codes)
      expect(await hashes()).to.deep.equal(unchanged)
    })
  }

  it('and the lake still answers', async () => {
    expect(await query.sql('select count(*) as bars from spot_klines').rows()).to.deep.equal([{ bars: 744 + 696 }])
  })

  it('what is refused in SQL of ours would have been possible: the lock is what holds', async () => {
    const files = await CandleFiles.in(folder.path)
    await mkdir(join(folder.path, 'proof'))
    await files.query(`COPY (SELECT 1 AS x) TO '${join(folder.path, 'proof/written.csv')}'`)
    expect(await files.query(`SELECT count(*) > 0 FROM read_text('/etc/passwd')`)).to.deep.equal([[true]])
    files.close()
    expect(filesBelow(folder.path)).to.include('proof/written.csv')
    await rm(join(folder.path, 'proof'), { recursive: true })
  })
})
