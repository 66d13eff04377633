import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { archive, type Archive } from '../../support/archive.js'
import { tempFolder } from '../../support/temp-folder.js'

const ROOT = resolve(import.meta.dirname, '../../../..')
const run = promisify(execFile)

describe('the examples in docs/', () => {
  let served: Archive

  before(async () => {
    served = await archive()
    await served.months({ symbol: 'BTCUSDT', interval: '1h' }, ['2024-01', '2024-02', '2024-03'])
    await served.month({ symbol: 'ETHUSDT', interval: '1h', month: '2024-01' })
  })
  after(() => served.close())

  const runExample = async (name: string, ...args: string[]): Promise<string> => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ARCHIVE_URL: served.url }
    return (await run(process.execPath, [join(ROOT, 'dist/test/examples', name), ...args], { env })).stdout
  }

  const docs = readFileSync(join(ROOT, 'docs/library.md'), 'utf8')
  for (const name of readdirSync(join(ROOT, 'test/examples'))) {
    it(`hold ${name} as it was compiled`, () => {
      expect(docs).to.include('```ts\n' + readFileSync(join(ROOT, 'test/examples', name), 'utf8') + '```')
    })
  }

  it('read-archive.ts prints what it promises', async () => {
    const stdout = await runExample('read-archive.js')
    const highs = ['2024-01', '2024-02', '2024-03']
      .flatMap((month) => served.lines({ symbol: 'BTCUSDT', interval: '1h', month })).map((line) => Number(line.split(',')[2]))
    expect(stdout.trim().split('\n')).to.deep.equal([
      'interval 1h', 'last whole month 2024-03', `${24 * 91} bars, high ${Math.max(...highs)}`, 'ARCHIVE_ABSENT',
    ])
  })
  it('write-candles.ts writes a file with all rows of both series', async () => {
    const folder = await tempFolder()
    try {
      const path = join(folder.path, 'candles.csv.gz')
      expect(await runExample('write-candles.js', path)).to.equal('1488 rows\n')
      const lines = gunzipSync(readFileSync(path)).toString().trimEnd().split('\n')
      expect(lines).to.have.length(1_489)
      expect(lines[745]).to.match(/^ETHUSDT,1h,1704067200000000,/)
    } finally {
      await folder.remove()
    }
  })
})
