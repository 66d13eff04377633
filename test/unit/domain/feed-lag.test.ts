import { expect } from 'chai'
import { feedLag } from '../../../src/domain/feed-lag.js'
import type { Interval } from '../../../src/domain/interval.js'
import { seriesKeyOf, type Series } from '../../../src/domain/partition.js'
import { usAt } from '../../support/hot-candles.js'

const seriesOf = (symbol: string, interval: Interval): Series => ({ dataset: 'spot-klines', symbol, interval })
const [btc, eth] = [seriesOf('BTCUSDT', '1m'), seriesOf('ETHUSDT', '1m')]

/** The newest rows of series, by their open times. */
const held = (...rows: readonly (readonly [Series, string])[]): ReadonlyMap<string, bigint> =>
  new Map(rows.map(([series, open]) => [seriesKeyOf(series), usAt(open)]))

describe('how far hot rows are behind', () => {
  it('is the age of the first bar that is over and not there', () => {
    const newest = held([btc, '2024-01-01T00:10Z'])
    const at = (now: string): number | null => feedLag([btc], newest, usAt(now)).behindSeconds
    expect(at('2024-01-01T00:11:30Z'), 'the next bar is open').to.equal(0)
    expect(at('2024-01-01T00:12:00Z'), 'it has just closed').to.equal(0)
    expect(at('2024-01-01T00:12:04.5Z')).to.equal(4.5)
    expect(at('2024-01-01T01:12:00Z')).to.equal(3_600)
    expect(at('2023-12-31T00:00:00Z'), 'a clock that is behind').to.equal(0)
  })

  it('is that of the series which is furthest behind, each by its own interval, months by the calendar', () => {
    const month = seriesOf('BTCUSDT', '1mo')
    const newest = held([btc, '2024-03-01T00:00Z'], [eth, '2024-02-29T23:59Z'], [month, '2024-01-01T00:00Z'])
    const at = (series: readonly Series[], now: string) => feedLag(series, newest, usAt(now)).behindSeconds
    expect(at([btc, eth], '2024-03-01T00:02Z')).to.equal(60)
    expect(at([btc, eth, month], '2024-03-01T00:02Z'), 'February is over').to.equal(120)
    expect(at([month], '2024-02-29T23:59Z')).to.equal(0)
  })

  it('counts a series once, and one without rows for nothing but itself', () => {
    const newest = held([btc, '2024-01-01T00:00Z'])
    const now = usAt('2024-01-01T00:02:01Z')
    expect(feedLag([btc, eth, btc], newest, now)).to.deep.equal({ stored: 1, empty: 1, behindSeconds: 1 })
    expect(feedLag([eth], newest, now)).to.deep.equal({ stored: 0, empty: 1, behindSeconds: null })
    expect(feedLag([], newest, now)).to.deep.equal({ stored: 0, empty: 0, behindSeconds: null })
  })
})
