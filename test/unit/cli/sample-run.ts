import type { RunProgress } from '../../../src/domain/ports/plan-catalog.js'
import { STATES, type State } from '../../../src/domain/states.js'
import type { RunView } from '../../../src/cli/render/run-view.js'

/** Counts of states, zero where not given. */
export const statesOf = (over: Partial<Record<State, number>> = {}): Record<State, number> =>
  ({ ...(Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>), ...over })

/** A run of the given states. */
export function progressOf(states: Partial<Record<State, number>>, over: Partial<RunProgress> = {}): RunProgress {
  const total = Object.values(states).reduce((sum, n) => sum + n, 0)
  const run = {
    id: '7f3k2',
    kind: 'backfill',
    state: 'running',
    request: {},
    createdAt: new Date('2026-11-22T20:31:00Z'),
    finishedAt: null,
  } as const
  return { run, states: statesOf(states), total, alreadyDone: 0, rows: 0, bytesIn: 0, bytesOut: 0, flagged: 0, ...over }
}

const MIB = 1024 ** 2

/** The run that UX draws. */
export const DRAWN: RunView = {
  runId: '7f3k2',
  total: 356,
  verified: 236,
  flagged: 1,
  quarantined: 0,
  failed: 0,
  late: 0,
  elapsedSeconds: 18,
  etaSeconds: 9,
  waitsFor: null,
  stages: [
    {
      stage: 'download',
      done: 268,
      total: 356,
      unit: 'bytes',
      amount: 315 * MIB,
      amountTotal: 418 * MIB,
      perSecond: 24 * MIB,
      etaSeconds: 4,
    },
    {
      stage: 'convert',
      done: 241,
      total: 356,
      unit: 'rows',
      amount: 5_400_000,
      amountTotal: null,
      perSecond: 310_000,
      etaSeconds: 8,
    },
    {
      stage: 'upload',
      done: 240,
      total: 356,
      unit: 'bytes',
      amount: 276 * MIB,
      amountTotal: null,
      perSecond: 16 * MIB,
      etaSeconds: 8,
    },
    {
      stage: 'verify',
      done: 236,
      total: 356,
      unit: 'rows',
      amount: 5_200_000,
      amountTotal: null,
      perSecond: 300_000,
      etaSeconds: 9,
    },
  ],
}
