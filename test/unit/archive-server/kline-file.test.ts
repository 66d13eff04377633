import { expect } from 'chai'
import { existsSync } from 'node:fs'
import { readFile, rm, stat } from 'node:fs/promises'
import { Open } from 'unzipper'
import { writeKlineFile, type KlineFileOptions } from '../../../src/archive-server/kline-file.js'
import { syntheticCandles } from '../../../src/archive-server/synthetic-candles.js'
import { sha256Of } from '../../../src/archive-server/zip-member.js'
import { temporaryFolder } from './archive-under-test.js'

describe('writeKlineFile', () => {
  let root: string
  let base: KlineFileOptions
  before(async () => {
    root = await temporaryFolder()
    const rows = ['1,2', '3,4']
    base = { root, market: 'spot', period: 'monthly', symbol: 'BTCUSDT', interval: '1h', label: '2024-11', rows }
  })
  after(() => rm(root, { recursive: true, force: true }))

  const keys = [
    [{}, 'data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-11.zip'],
    [{ market: 'um', period: 'daily', label: '2024-11-30' },
      'data/futures/um/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-11-30.zip'],
    [{ market: 'cm', symbol: 'BTCUSD_PERP', interval: '1mo' },
      'data/futures/cm/monthly/klines/BTCUSD_PERP/1mo/BTCUSD_PERP-1mo-2024-11.zip'],
  ] as const
  for (const [change, key] of keys) {
    it(`writes ${key} and its CHECKSUM`, async () => {
      const file = await writeKlineFile({ ...base, ...change })
      const zip = await readFile(`${root}/${key}`)
      expect(file).to.deep.equal({
        key, path: `${root}/${key}`, rows: 2, csvBytes: 8, zipBytes: zip.length, sha256Hex: sha256Of(zip),
      })
      const name = key.slice(key.lastIndexOf('/') + 1)
      expect(await readFile(`${root}/${key}.CHECKSUM`, 'utf8')).to.equal(`${file.sha256Hex}  ${name}`)
      const [member, ...more] = (await Open.buffer(zip)).files
      expect([member?.path, more.length]).to.deep.equal([name.replace('.zip', '.csv'), 0])
      expect((await member?.buffer())?.toString()).to.equal('1,2\n3,4\n')
    })
  }

  it('begins with the header line where one is asked for', async () => {
    const { path } = await writeKlineFile({ ...base, market: 'um', header: true })
    const text = (await (await Open.file(path)).files[0]?.buffer())?.toString() ?? ''
    const [header = '', first] = text.split('\n')
    expect(header.split(',')).to.deep.equal([
      'open_time', 'open', 'high', 'low', 'close', 'volume', 'close_time', 'quote_volume', 'count', 'taker_buy_volume',
      'taker_buy_quote_volume', 'ignore',
    ])
    expect(first).to.equal('1,2')
  })

  it('writes a stale CHECKSUM, or none', async () => {
    const stale = await writeKlineFile({ ...base, symbol: 'STALE', checksum: 'stale' })
    const text = await readFile(`${stale.path}.CHECKSUM`, 'utf8')
    expect(text).to.match(/^[0-9a-f]{64} {2}STALE-1h-2024-11\.zip$/).and.not.include(stale.sha256Hex)
    const none = await writeKlineFile({ ...base, symbol: 'NONE', checksum: 'none' })
    expect(existsSync(`${none.path}.CHECKSUM`)).to.equal(false)
  })

  it('dates a file 03:00 UTC of the day after its period', async () => {
    const { path } = await writeKlineFile({ ...base, label: '2024-12' })
    expect((await stat(path)).mtime.toISOString()).to.equal('2025-01-01T03:00:00.000Z')
    const day = await writeKlineFile({ ...base, period: 'daily', label: '2024-02-29' })
    expect((await stat(`${day.path}.CHECKSUM`)).mtime.toISOString()).to.equal('2024-03-01T03:00:00.000Z')
  })

  it('writes a month of minutes, all 44,640 rows', async () => {
    const rows = syntheticCandles({ seed: 1, fromMs: Date.UTC(2024, 0, 1), toMs: Date.UTC(2024, 1, 1), stepMs: 60_000 })
    const file = await writeKlineFile({ ...base, interval: '1m', label: '2024-01', rows })
    expect(file.rows).to.equal(44_640)
    const text = (await (await Open.file(file.path)).files[0]?.buffer())?.toString()
    expect(text).to.equal([...rows].map((row) => `${row}\n`).join(''))
  })

  const wrong = [
    [{ symbol: '../BTCUSDT' }, 'BAD_SYMBOL'], [{ interval: '1M' }, 'BAD_INTERVAL'], [{ label: '2024-13' }, 'BAD_RANGE'],
    [{ label: '2024-01-05' }, 'BAD_RANGE'], [{ period: 'daily', label: '2023-02-29' }, 'BAD_RANGE'],
    [{ period: 'daily' }, 'BAD_RANGE'],
  ] as const
  for (const [change, code] of wrong) {
    it(`refuses ${JSON.stringify(change)} with ${code}`, async () => {
      const thrown: unknown = await writeKlineFile({ ...base, ...change }).catch((error: unknown) => error)
      expect(thrown).to.have.property('code', code)
    })
  }
})
