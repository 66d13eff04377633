import { expect } from 'chai'
import { Readable } from 'node:stream'
import { klineCsvRows } from '../../../src/lake/kline-csv.js'
import { failingWith } from '../../support/failing-with.js'

const HEADER =
  'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore'
const ROW = '1704067200000,1,2,0.5,1.5,10,1704070799999,15,3,5,7,0'
const NEXT = '1704070800000000,1,2,0.5,1.5,10,1704074399999999,15,3,5,7,0'

async function openTimes(text: string): Promise<bigint[]> {
  const found: bigint[] = []
  for await (const batch of klineCsvRows(Readable.from([Buffer.from(text)]), 'rows.csv')) {
    found.push(...batch.map(({ openTimeUs }) => openTimeUs))
  }
  return found
}

describe('klines CSV', () => {
  const both = [1_704_067_200_000_000n, 1_704_070_800_000_000n]

  it('takes rows with a header and without, in milliseconds and microseconds', async () => {
    expect(await openTimes(`${ROW}\n${NEXT}\n`)).to.deep.equal(both)
    expect(await openTimes(`${HEADER}\r\n${ROW}\r\n\r\n${NEXT}`)).to.deep.equal(both)
  })

  it('takes the first row for what it is behind a byte order mark, and a header too', async () => {
    expect(await openTimes(`\ufeff${ROW}\n${NEXT}\n`)).to.deep.equal(both)
    expect(await openTimes(`\ufeff${HEADER}\n${ROW}\n`)).to.deep.equal(both.slice(0, 1))
  })

  it('passes over no first line that is not a header', async () => {
    const moved = HEADER.replace('open,high', 'high,open')
    for (const first of [moved, `"1704067200000"${ROW.slice(13)}`, `-${ROW}`, ROW.replaceAll(',', ';')]) {
      const refusal = await failingWith('CORRUPT', () => openTimes(`${first}\n${NEXT}\n`))
      expect(refusal.at).to.equal('rows.csv line 1')
    }
  })
})
