// Writes an archive for the smoke test: 16 symbols x 12 months of 1h, and of 4 of them also 1m, which takes longer.
import { writeKlineFile } from '/app/dist/src/archive-server/kline-file.js'
import { syntheticCandles } from '/app/dist/src/archive-server/synthetic-candles.js'

const root = process.argv[2]
const MINUTE_MS = 60_000
const symbols = Array.from({ length: 16 }, (_, i) => `SMOKE${String(i + 1).padStart(2, '0')}USDT`)
const months = Array.from({ length: 12 }, (_, i) => i + 1)

for (const [s, symbol] of symbols.entries()) {
  for (const month of months) {
    const [fromMs, toMs] = [Date.UTC(2023, month - 1), Date.UTC(2023, month)]
    const seed = 1_000 * s + month
    const label = `2023-${String(month).padStart(2, '0')}`
    for (const [interval, stepMs] of [['1h', 60 * MINUTE_MS], ['1m', MINUTE_MS]]) {
      if (interval === '1m' && s >= 4) continue
      const rows = syntheticCandles({ seed, fromMs, toMs, stepMs })
      await writeKlineFile({ root, market: 'spot', period: 'monthly', symbol, interval, label, rows })
    }
  }
}
