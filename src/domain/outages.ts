import type { Market } from './dataset.js'

/** A stretch in which the exchange did not trade, half-open, with where that is written. */
export type Outage = {
  readonly id: string
  readonly market: Market
  readonly fromUs: bigint
  readonly toUs: bigint
  readonly source: string
}

/** Raised with every change of the list: certificates name the version they were issued by. */
export const OUTAGE_CALENDAR_VERSION = '2026-11-22'

const ISSUES = 'github.com/binance/binance-public-data/issues/'

/**
 * Spot outages as seconds without a trade in BTCUSDT: start, end (UTC), and the archive's issue that lists them.
 * A bar is missing because of an outage only when its whole slot lies inside one.
 */
const SPOT: readonly (readonly [from: string, to: string, issue: string])[] = [
  ['2017-09-06T16:00:00Z', '2017-09-06T23:00:00Z', '365'],
  ['2017-12-04T06:00:21Z', '2017-12-04T06:49:06Z', '365'],
  ['2017-12-18T10:00:43Z', '2017-12-18T10:14:47Z', '365'],
  ['2017-12-18T12:29:14Z', '2017-12-18T13:34:10Z', '365'],
  ['2018-01-04T03:00:15Z', '2018-01-04T05:06:13Z', '365'],
  ['2018-02-08T00:28:15Z', '2018-02-09T10:00:01Z', '365'],
  ['2018-02-10T06:00:00Z', '2018-02-10T06:15:00Z', '365'],
  ['2018-02-11T04:00:01Z', '2018-02-11T04:35:00Z', '365'],
  ['2018-06-26T02:00:00Z', '2018-06-26T12:00:00Z', '365'],
  ['2018-06-27T13:00:00Z', '2018-06-27T14:45:00Z', '365'],
  ['2018-07-04T00:22:26Z', '2018-07-04T08:00:00Z', '365'],
  ['2018-10-19T06:00:00Z', '2018-10-19T09:30:00Z', '365'],
  ['2018-11-14T02:00:00Z', '2018-11-14T09:00:00Z', '365'],
  ['2019-03-12T02:00:00Z', '2019-03-12T08:00:00Z', '365'],
  ['2019-05-15T03:00:00Z', '2019-05-15T13:00:00Z', '365'],
  ['2019-06-07T21:13:14Z', '2019-06-07T22:15:00Z', '365'],
  ['2019-08-15T02:00:00Z', '2019-08-15T10:00:00Z', '169'],
  ['2019-11-13T02:00:00Z', '2019-11-13T04:00:00Z', '169'],
  ['2019-11-25T02:00:00Z', '2019-11-25T04:00:00Z', '169'],
  ['2020-02-09T02:00:00Z', '2020-02-09T03:00:00Z', '368'],
  ['2020-02-19T11:35:33Z', '2020-02-19T17:30:00Z', '368'],
  ['2020-03-04T09:21:47Z', '2020-03-04T11:30:00Z', '368'],
  ['2020-04-25T02:00:00Z', '2020-04-25T04:30:00Z', '368'],
  ['2020-06-28T02:00:00Z', '2020-06-28T05:30:00Z', '368'],
  ['2020-11-30T06:00:00Z', '2020-11-30T07:00:00Z', '312'],
  ['2020-12-21T13:47:21Z', '2020-12-21T18:00:00Z', '368'],
  ['2020-12-25T02:00:00Z', '2020-12-25T03:00:00Z', '368'],
  ['2021-02-11T03:40:55Z', '2021-02-11T05:00:00Z', '368'],
  ['2021-03-06T02:00:00Z', '2021-03-06T03:30:00Z', '368'],
  ['2021-04-20T02:00:00Z', '2021-04-20T04:30:00Z', '368'],
  ['2021-04-25T04:00:59Z', '2021-04-25T08:45:00Z', '368'],
  ['2021-08-13T02:00:00Z', '2021-08-13T06:30:00Z', '312'],
  ['2021-09-29T07:00:00Z', '2021-09-29T09:00:00Z', '312'],
  ['2023-03-24T12:40:00Z', '2023-03-24T14:00:00Z', '312'],
]

const us = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000n

/** Every known outage, in time order. */
export const OUTAGES: readonly Outage[] = SPOT.map(([from, to, issue]) => ({
  id: `spot-${from.slice(0, 16).replace(':', '')}Z`,
  market: 'spot',
  fromUs: us(from),
  toUs: us(to),
  source: `${ISSUES}${issue}`,
}))
