import { Hono } from 'hono'
import type { Log } from '../domain/ports/observe.js'
import { keptReading, type Reading } from '../observability/reading.js'

/** Named probes of what the process needs; each resolves when it answers. */
export type Checks = Readonly<Record<string, () => Promise<unknown>>>

const LIMIT_MS = 2_000
/** Anybody may ask, so what is behind is asked once a second at most. */
const KEEP_MS = 1_000

/** `/livez`: the event loop turns. `/readyz`: every check answered within 2 s, else 503 with each one's code. */
export function health(o: { checks: Checks; log: Log; limitMs?: number }): Hono {
  const readings = Object.entries(o.checks).map(([name, check]) => {
    const read = async (): Promise<null> => {
      await check()
      return null
    }
    return [name, keptReading({ read, limitMs: o.limitMs ?? LIMIT_MS, keepMs: KEEP_MS })] as const
  })
  let wasReady = true
  const app = new Hono()
  app.get('/livez', (c) => c.text('ok\n'))
  app.get('/readyz', async (c) => {
    const answers = await Promise.all(readings.map(async ([name, read]) => [name, codeOf(await read())] as const))
    const ready = answers.every(([, code]) => code === 'ok')
    const checks = Object.fromEntries(answers)
    if (ready !== wasReady) o.log[ready ? 'info' : 'warn']('server.readiness', { ready, ...checks })
    wasReady = ready
    return c.json({ v: 1, type: 'readiness', ready, checks }, ready ? 200 : 503)
  })
  return app
}

const codeOf = (reading: Reading<unknown>): string => (reading.ok ? 'ok' : reading.code)
