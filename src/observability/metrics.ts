import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { Observe } from '../domain/ports/observe.js'
import { stateMetrics, type StateMetrics } from './state-metrics.js'
import { workMetrics } from './work-metrics.js'

/** The metrics of one process. Names, types and labels are documented in `docs/metrics.md`. */
export type Metrics = {
  /** Counts an event of the work; give it to the stages as their observer. */
  readonly observe: Observe
  readonly registry: Registry
  /** From now on, scrapes read partition and queue gauges from these; gives back what ends it. */
  readonly readFrom: StateMetrics['readFrom']
  /** From now on, scrapes ask this for the milliseconds since the queue was last heard of. */
  readonly watchSilence: (silentMs: () => number) => void
  /** Counts an answered HTTP request: `op` is the route's name, `status` the HTTP status. */
  readonly answered: (op: string, status: number) => void
  /** The scrape in Prometheus' text format; answers within a few seconds also when catalog and queues do not. */
  readonly scrape: () => Promise<string>
}

/** Metrics of a process that runs `version` with queues on `backend` (`redis` or `postgres`). */
export function createMetrics(o: {
  version: string
  backend: string
  limits?: { readonly limitMs: number; readonly keepMs: number }
}): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'candlelake_build_info',
    help: 'Always 1; its labels say what runs.',
    labelNames: ['version', 'backend'],
    registers,
  }).set({ version: o.version, backend: o.backend }, 1)
  const requests = new Counter({
    name: 'candlelake_http_requests_total',
    help: 'HTTP requests answered, by route and status.',
    labelNames: ['op', 'code'],
    registers,
  })
  let silentMs = (): number => 0
  new Gauge({
    name: 'candlelake_queue_silence_seconds',
    help: 'Time since the queue last answered the workers of this process.',
    registers,
    collect() {
      this.set(silentMs() / 1_000)
    },
  })
  const state = stateMetrics(registry, o.limits)
  return {
    observe: workMetrics(registry),
    registry,
    readFrom: (sources) => state.readFrom(sources),
    watchSilence: (ask) => {
      silentMs = ask
    },
    answered: (op, status) => requests.inc({ op, code: String(status) }),
    scrape: async () => {
      await state.refresh()
      return registry.metrics()
    },
  }
}
