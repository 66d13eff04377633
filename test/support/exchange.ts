import { writeKlineFile } from '../../src/archive-server/kline-file.js'
import { startArchiveServer, type ArchiveServer } from '../../src/archive-server/server.js'
import { syntheticCandles } from '../../src/archive-server/synthetic-candles.js'
import { tempFolder } from './temp-folder.js'

/** An exchange whose clock a test sets: BTCUSDT and ETHUSDT 1m from 2025-01-30 to 2025-02-04. */
export type TestExchange = {
  readonly server: ArchiveServer
  readonly url: string
  /** What it takes for the time: `2025-02-01T00:00:30Z`. */
  setClock(instant: string): void
  close(): Promise<void>
}

export async function serveExchange(instant: string): Promise<TestExchange> {
  const home = await tempFolder()
  let nowMs = Date.parse(instant)
  for (const [n, symbol] of ['BTCUSDT', 'ETHUSDT'].entries()) {
    for (const [label, from, to] of [['2025-01', '2025-01-30', '2025-02-01'], ['2025-02', '2025-02-01', '2025-02-05']] as const) {
      const walk = { seed: 3 + n, stepMs: 60_000, unit: 'us', fromMs: Date.parse(from), toMs: Date.parse(to) } as const
      const file = { root: home.path, market: 'spot', period: 'monthly', symbol, interval: '1m', label } as const
      await writeKlineFile({ ...file, rows: syntheticCandles(walk) })
    }
  }
  const server = await startArchiveServer({ root: home.path, now: () => nowMs })
  return {
    server,
    url: server.url,
    setClock: (text) => {
      nowMs = Date.parse(text)
    },
    close: async () => {
      await server.close()
      await home.remove()
    },
  }
}
