import { BinanceArchive, slice, writeCandles } from 'candlelake/client'

const archive = new BinanceArchive()
const first = slice({ dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1h' }, '2024-01', '2024-01')
const second = slice({ dataset: 'spot-klines', symbol: 'ETHUSDT', interval: '1h' }, '2024-01', '2024-01')
try {
  const rows = [first, second].map((at) => ({ series: at, batches: archive.candles(at) }))
  const written = await writeCandles({ path: process.argv[2] ?? 'candles.csv.gz', format: 'csv.gz', rows })
  console.log(written.rows, 'rows')
} finally {
  await archive.close()
}
