import { BinanceArchive, PipelineError, slice } from 'candlelake/client'

const archive = new BinanceArchive()
const btc = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1h' } as const

for await (const interval of archive.list('intervals', btc)) console.log('interval', interval)
console.log('last whole month', await archive.latestAvailableMonth(btc))

let [bars, high] = [0, 0]
for await (const candles of archive.candles(slice(btc, '2024-01', '2024-03'))) {
  bars += candles.length
  for (const candle of candles) high = Math.max(high, Number(candle.high))
}
console.log(bars, 'bars, high', high)

try {
  for await (const candles of archive.candles({ ...btc, month: '1999-01' })) console.log(candles.length)
} catch (error) {
  if (!(error instanceof PipelineError)) throw error
  console.log(error.code) // ARCHIVE_ABSENT
} finally {
  await archive.close()
}
