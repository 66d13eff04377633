import type { Partition } from '../../src/domain/partition.js'
import type { QueueCounts } from '../../src/domain/ports/job-queue.js'
import type { QuarantineEntry, WorkerRow } from '../../src/domain/ports/keeper-catalog.js'
import type { Log } from '../../src/domain/ports/observe.js'
import type { Run, RunProgress } from '../../src/domain/ports/plan-catalog.js'
import { JOB_STAGES, STATES, type JobStage, type State } from '../../src/domain/states.js'
import { createMetrics } from '../../src/observability/metrics.js'
import type { ServerOptions } from '../../src/server/start-server.js'

export type LogLine = { readonly level: string; readonly event: string; readonly fields: unknown }

/** A log that keeps its lines. */
export function keptLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const at = (level: string) => (event: string, fields?: unknown): void => {
    lines.push({ level, event, fields })
  }
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export const partitionOf = (symbol: string, month = '2024-01'): Partition =>
  ({ dataset: 'spot-klines', symbol, interval: '1h', month: month })

export const statesOf = (some: Partial<Record<State, number>>): Record<State, number> =>
  ({ ...(Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>), ...some })

export const countsOf = (some: Partial<QueueCounts> = {}): Record<JobStage, QueueCounts> =>
  Object.fromEntries(JOB_STAGES.map((stage) => [
    stage, { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0, ...some },
  ])) as Record<JobStage, QueueCounts>

const run: Run = {
  id: '7f3k2', kind: 'backfill', state: 'running', createdAt: new Date(Date.now() - 90_000), finishedAt: null,
  request: { market: 'spot', symbols: ['BTCUSDT', '<b>&"'], intervals: ['1h'] },
}
const progress: RunProgress = {
  run, states: statesOf({ planned: 80, converting: 6, verified: 268, quarantined: 2 }), total: 356, alreadyDone: 12,
  rows: 5_400_000, bytesIn: 330_301_440, bytesOut: 289_406_976, flagged: 3,
}
const quarantined: QuarantineEntry = {
  partition: partitionOf('ETHUSDT', '2021-04'), generation: 1, code: 'CORRUPT', message: 'row 8,112 has volume -3',
  facts: {}, kept: null, since: new Date('2026-11-20T03:04:05Z'), published: null,
}
const worker: WorkerRow = {
  id: 'w-5f2', host: 'lake-1', pid: 4711, stages: ['download', 'convert', 'upload', 'verify'],
  doing: [{ stage: 'convert', partition: 'spot-klines/BTCUSDT/1h/2022-04' }],
  lost: false, startedAt: new Date(Date.now() - 3_700_000), seenAt: new Date(Date.now() - 2_000),
}

/** What a server is given, with a small lake behind it; parts may be replaced. */
export function serverParts(some: Partial<ServerOptions> = {}): ServerOptions {
  const states = statesOf({ planned: 80, converting: 6, verified: 268, quarantined: 2 })
  return {
    host: '127.0.0.1', port: 0, credentials: null, boards: [], version: '0.1.0', log: keptLog(),
    metrics: createMetrics({ version: '0.1.0', backend: 'postgres', limits: { limitMs: 500, keepMs: 0 } }),
    keeper: {
      states: (filter) => Promise.resolve(filter?.datasets?.includes('spot-klines') ? states : statesOf({})),
      summary: () => Promise.resolve((Object.entries(states) as [State, number][]).map(([state, partitions]) => {
        const stored = state === 'verified' ? progress : { rows: 0, bytesIn: 0, bytesOut: 0 }
        const { rows, bytesIn, bytesOut } = stored
        const published = state === 'verified' ? partitions : 0
        return { dataset: 'spot-klines', interval: '1h', state, partitions, published, rows, bytesIn, bytesOut }
      })),
      workers: () => Promise.resolve([worker]),
      // eslint-disable-next-line @typescript-eslint/require-await -- it has nothing to wait for
      quarantine: async function* () {
        yield quarantined
      },
    },
    plan: { runs: () => Promise.resolve([run]), progress: () => Promise.resolve(progress) },
    queue: {
      counts: () => Promise.resolve(countsOf({ waiting: 20, active: 2, failed: 1 })), ping: () => Promise.resolve(),
    },
    hot: { estimate: () => Promise.resolve({ days: 30, rows: 1_296_000 }) },
    feedLag: () => Promise.resolve({ stored: 29, empty: 1, behindSeconds: 0 }),
    subscribe: () => Promise.reject(new Error('nothing is told here')),
    ...some,
  }
}
