import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { archive, type Archive } from '../../support/archive.js'

const ROOT = resolve(import.meta.dirname, '../../../..')
const run = promisify(execFile)

describe('the examples in docs/', () => {
  let served: Archive

  before(async () => {
    served = await archive()
    await served.months({ symbol: 'BTCUSDT', interval: '1h' }, ['2024-01', '2024-02', '2024-03'])
  })
  after(() => served.close())

  const docs = readFileSync(join(ROOT, 'docs/library.md'), 'utf8')
  for (const name of readdirSync(join(ROOT, 'test/examples'))) {
    it(`hold ${name} as it was compiled`, () => {
      expect(docs).to.include('```ts\n' + readFileSync(join(ROOT, 'test/examples', name), 'utf8') + '```')
    })
  }

  it('read-archive.ts prints what it promises', async () => {
    const program = join(ROOT, 'dist/test/examples/read-archive.js')
    const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ARCHIVE_URL: served.url }
    const { stdout } = await run(process.execPath, [program], { env })
    const highs = ['2024-01', '2024-02', '2024-03']
      .flatMap((month) => served.lines({ symbol: 'BTCUSDT', interval: '1h', month })).map((line) => Number(line.split(',')[2]))
    expect(stdout.trim().split('\n')).to.deep.equal([
      'interval 1h', 'last whole month 2024-03', `${24 * 91} bars, high ${Math.max(...highs)}`, 'ARCHIVE_ABSENT',
    ])
  })
})
