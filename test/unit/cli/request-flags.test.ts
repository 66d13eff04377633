import { expect } from 'chai'
import type { FlagValues } from '../../../src/cli/command.js'
import { concurrencyOf, requestOf, stagesOf } from '../../../src/cli/request-flags.js'
import { PipelineError } from '../../../src/domain/errors.js'

const NOW = Date.parse('2026-11-22T20:31:14Z')
const read = (flags: FlagValues, stdin = '') =>
  requestOf({ symbols: ['BTCUSDT'], intervals: ['1h'], ...flags }, NOW, () => Promise.resolve(stdin))

async function failure(flags: FlagValues): Promise<[string, string | null, string | null]> {
  const thrown = await read(flags).then(() => null, (error: unknown) => error)
  expect(thrown).to.be.instanceOf(PipelineError)
  const { code, at, do: hint } = thrown as PipelineError
  return [code, at, hint]
}

describe('the request of a backfill', () => {
  it('is spot klines of all whole months unless told otherwise', async () => {
    expect(await read({})).to.deep.equal({
      dataset: 'spot-klines',
      symbols: { names: ['BTCUSDT'] },
      intervals: ['1h'],
      firstMonth: null,
      lastMonth: '2026-10',
    })
  })

  it('takes lists by commas and by repetition', async () => {
    const request = await read({
      symbols: ['btcusdt,ETHUSDT', '!eth*'],
      intervals: ['1m,1h', '1m'],
      market: 'um',
      from: '2022-01',
      to: '2022-02-15',
    })
    expect(request).to.deep.equal({
      dataset: 'um-klines',
      symbols: { names: ['BTCUSDT'] },
      intervals: ['1m', '1h'],
      firstMonth: '2022-01',
      lastMonth: '2022-02',
    })
  })

  it('takes globs as a test over the listing, and all intervals as null', async () => {
    const { symbols, intervals } = await read({ symbols: ['*USDT,!*DOWNUSDT'], intervals: ['all'] })
    if (!('matching' in symbols)) throw new Error('not a test')
    expect(['ETHUSDT', 'BTCDOWNUSDT', 'ETHBTC'].map(symbols.matching)).to.deep.equal([true, false, false])
    expect(intervals).to.equal(null)
  })

  it('reads symbols from stdin', async () => {
    expect((await read({ symbols: ['-'] }, 'btcusdt\nETHUSDT, BNBUSDT\n')).symbols).to.deep.equal({
      names: ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'],
    })
  })

  it('names the flag and the nearest word in its errors', async () => {
    expect(await failure({ intervals: ['1hr'] })).to.deep.equal(['BAD_INTERVAL', '--intervals', 'use 1h'])
    expect((await failure({ intervals: ['fortnight'] }))[2]).to.include('use 1s, 1m')
    expect((await failure({ intervals: [] })).slice(0, 2)).to.deep.equal(['BAD_USAGE', '--intervals'])
    expect((await failure({ symbols: undefined })).slice(0, 2)).to.deep.equal(['BAD_USAGE', '--symbols'])
    expect((await failure({ symbols: ['../../etc'] })).slice(0, 2)).to.deep.equal(['BAD_SYMBOL', '--symbols'])
    expect((await failure({ symbols: ['BTCUSDT,!BTC*'] })).slice(0, 2)).to.deep.equal(['BAD_USAGE', '--symbols'])
    expect((await failure({ market: 'swap' })).slice(0, 2)).to.deep.equal(['BAD_MARKET', '--market'])
    expect((await failure({ type: 'trades' })).slice(0, 2)).to.deep.equal(['BAD_USAGE', '--type'])
    expect((await failure({ from: 'soon' })).slice(0, 2)).to.deep.equal(['BAD_RANGE', '--from'])
    expect((await failure({ to: 'soon' })).slice(0, 2)).to.deep.equal(['BAD_RANGE', '--to'])
  })
})

describe('flags of workers', () => {
  it('take a concurrency for all stages and for some', () => {
    expect(concurrencyOf({})).to.deep.equal({})
    expect(concurrencyOf({ concurrency: ['4', 'convert=2'] })).to.deep.equal({
      download: 4,
      convert: 2,
      upload: 4,
      verify: 4,
      migrate: 4,
    })
    expect(concurrencyOf({ concurrency: ['convert=2,download=8'] })).to.deep.equal({ convert: 2, download: 8 })
  })

  for (const bad of ['0', 'convert=0', '257', 'convrt=2', 'convert=two', '-1', '1.5', 'convert=']) {
    it(`refuse the concurrency ${bad}`, () => {
      expect(() => concurrencyOf({ concurrency: [bad] })).to.throw(PipelineError).with.property('at', '--concurrency')
    })
  }

  it('take stages in the order of the work, all when none is named', () => {
    expect(stagesOf({})).to.deep.equal(['download', 'convert', 'upload', 'verify', 'migrate'])
    expect(stagesOf({ stages: ['verify,download'] })).to.deep.equal(['download', 'verify'])
    expect(() => stagesOf({ stages: ['convrt'] })).to.throw(PipelineError).with.property('do', 'use convert')
  })
})
