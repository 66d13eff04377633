import { expect } from 'chai'
import { dailyKeyOf, fileNameOf, monthlyKeyOf } from '../../../src/domain/archive-names.js'
import { daysToLookUp, planReads } from '../../../src/domain/archive-reads.js'
import { parsePartitionKey, type Series } from '../../../src/domain/partition.js'
import { slice } from '../../../src/domain/slice.js'
import type { WantedSource } from '../../../src/domain/source.js'

const series: Series = parsePartitionKey('spot-klines/BTCUSDT/1h/2024-01')
const source = (key: string, bytes: number): WantedSource => ({ key, bytes, etag: null, lastModified: null })
const monthly = (...months: string[]): Map<string, WantedSource> =>
  new Map(months.map((month) => [month, source(monthlyKeyOf({ ...series, month }), 3_000)]))
const daily = (bytes: number, ...days: string[]): Map<string, WantedSource> =>
  new Map(days.map((day) => [day, source(dailyKeyOf(series, day), bytes)]))

const planned = (from: string, to: string, months: Map<string, WantedSource>, days = daily(0)): string[][] =>
  planReads(slice(series, from, to), months, days).map(({ sources }) => sources.map(({ key }) => fileNameOf(key)))

describe('the plan of what is read from the archive', () => {
  it('is a ZIP a month, and no day is looked up', () => {
    const months = monthly('2024-01', '2024-02', '2024-03')
    expect(planned('2024-01', '2024-02', months)).to.deep.equal([['BTCUSDT-1h-2024-01.zip'], ['BTCUSDT-1h-2024-02.zip']])
    expect(daysToLookUp(slice(series, '2024-01', '2024-02'), months)).to.deep.equal([])
  })

  it('takes the dailies of a month without a ZIP, those that there are', () => {
    const months = monthly('2024-01')
    expect(daysToLookUp(slice(series, '2024-01', '2024-02'), months)).to.have.length(29)
    expect(planned('2024-01', '2024-02', months, daily(100, '2024-02-01', '2024-02-03'))).to.deep.equal([
      ['BTCUSDT-1h-2024-01.zip'], ['BTCUSDT-1h-2024-02-01.zip', 'BTCUSDT-1h-2024-02-03.zip'],
    ])
  })

  it('leaves months without any file out', () => {
    expect(planned('2023-11', '2024-01', monthly('2024-01'))).to.deep.equal([['BTCUSDT-1h-2024-01.zip']])
  })

  it('takes the dailies of a few days where all are there and smaller than the month', () => {
    const [from, to] = ['2024-01-05T12:00', '2024-01-07']
    const days = ['2024-01-05', '2024-01-06']
    const months = monthly('2024-01')
    expect(daysToLookUp(slice(series, from, to), months)).to.deep.equal(days)
    expect(planned(from, to, months, daily(100, ...days)).flat()).to.deep.equal([
      'BTCUSDT-1h-2024-01-05.zip', 'BTCUSDT-1h-2024-01-06.zip',
    ])
    expect(planned(from, to, months, daily(100, '2024-01-05')).flat()).to.deep.equal(['BTCUSDT-1h-2024-01.zip'])
    expect(planned(from, to, months, daily(2_000, ...days)).flat()).to.deep.equal(['BTCUSDT-1h-2024-01.zip'])
  })

  it('takes the ZIP for many days of a month, and cuts the range to what was asked for', () => {
    const at = slice(series, '2024-01-05', '2024-01-20')
    expect(daysToLookUp(at, monthly('2024-01'))).to.deep.equal([])
    const [read] = planReads(at, monthly('2024-01'), daily(0))
    expect(read?.range).to.deep.equal({ fromUs: at.fromUs, toUs: at.toUs })
  })

  it('looks no day up for bars longer than a day', () => {
    for (const interval of ['3d', '1w', '1mo'] as const) {
      expect(daysToLookUp(slice({ ...series, interval }, '2024-01', '2024-02'), monthly())).to.deep.equal([])
    }
  })
})
