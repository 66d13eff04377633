import { Counter, Gauge, type Registry } from 'prom-client'
import { DATASETS } from '../domain/dataset.js'
import type { FeedLag } from '../domain/feed-lag.js'
import type { HotEstimate, HotStore } from '../domain/ports/hot-store.js'
import type { JobQueue, QueueCounts } from '../domain/ports/job-queue.js'
import type { KeeperCatalog, WorkerRow } from '../domain/ports/keeper-catalog.js'
import type { JobStage, State } from '../domain/states.js'
import { keptReading, type Reading } from './reading.js'

/** Where the gauges of a scrape are read from. */
export type StateSources = {
  readonly keeper: Pick<KeeperCatalog, 'states' | 'workers'>
  readonly queue: Pick<JobQueue, 'counts'>
  readonly hot: Pick<HotStore, 'estimate'>
  /** Of the series of all schedules of `tail`. */
  readonly feedLag: () => Promise<FeedLag>
}

export type StateMetrics = {
  /** From now on, scrapes read these; gives back what ends it. */
  readFrom(sources: StateSources): () => void
  /** Sets the gauges anew, within 2 s; readings are kept for 5 s. Never rejects. */
  refresh(): Promise<void>
}

const LIMIT_MS = 2_000
const KEEP_MS = 5_000

type PartitionCounts = readonly (readonly [dataset: string, states: Readonly<Record<State, number>>])[]
type Readings = {
  readonly partitions: () => Promise<Reading<PartitionCounts>>
  readonly queues: () => Promise<Reading<Readonly<Record<JobStage, QueueCounts>>>>
  readonly workers: () => Promise<Reading<readonly WorkerRow[]>>
  readonly hot: () => Promise<Reading<HotEstimate>>
  readonly lag: () => Promise<Reading<FeedLag>>
}

/** Gauges of the lake's and the queues' state. A part that is down loses its series instead of showing old figures. */
export function stateMetrics(registry: Registry, limits = { limitMs: LIMIT_MS, keepMs: KEEP_MS }): StateMetrics {
  const m = gaugesOf(registry)
  let readings: Readings | null = null

  const partitions = (reading: Reading<PartitionCounts>): void => {
    m.partitions.reset()
    if (!reading.ok) return
    for (const [dataset, states] of reading.value) {
      for (const [state, count] of Object.entries(states)) m.partitions.set({ dataset, state }, count)
    }
  }

  const queues = (reading: Reading<Readonly<Record<JobStage, QueueCounts>>>): void => {
    m.queueJobs.reset()
    if (!reading.ok) return
    for (const [stage, counts] of Object.entries(reading.value)) {
      for (const [state, count] of Object.entries(counts)) m.queueJobs.set({ stage, state }, count)
    }
  }

  const workers = (reading: Reading<readonly WorkerRow[]>): void => {
    m.workers.reset()
    if (!reading.ok) return
    const lost = reading.value.filter((worker) => worker.lost).length
    m.workers.set({ state: 'living' }, reading.value.length - lost)
    m.workers.set({ state: 'lost' }, lost)
  }

  const hot = (reading: Reading<HotEstimate>): void => {
    setOrRemove(m.hotDays, reading.ok ? reading.value.days : null)
    setOrRemove(m.hotRows, reading.ok ? reading.value.rows : null)
  }

  const lag = (reading: Reading<FeedLag>): void => {
    setOrRemove(m.feedLag, reading.ok ? reading.value.behindSeconds : null)
    m.feedSeries.reset()
    if (!reading.ok) return
    m.feedSeries.set({ state: 'stored' }, reading.value.stored)
    m.feedSeries.set({ state: 'empty' }, reading.value.empty)
  }

  const note = (op: 'catalog' | 'queue', reading: Reading<unknown>): void => {
    m.up.set({ op }, reading.ok ? 1 : 0)
    m.errors.inc({ op }, reading.ok ? 0 : 1)
  }

  return {
    readFrom(sources) {
      const mine = readingsOf(sources, limits)
      readings = mine
      return () => {
        if (readings !== mine) return
        readings = null
        for (const gauge of [m.partitions, m.queueJobs, m.workers, m.up, m.feedSeries]) gauge.reset()
        for (const gauge of [m.hotDays, m.hotRows, m.feedLag]) gauge.remove()
      }
    },
    async refresh() {
      if (readings === null) return
      const { partitions: rows, queues: jobs, workers: living, hot: held, lag: behind } = readings
      const [fromCatalog, fromQueue, beats, estimate, late] = await Promise.all(
        [rows(), jobs(), living(), held(), behind()])
      partitions(fromCatalog)
      queues(fromQueue)
      workers(beats)
      hot(estimate)
      lag(late)
      note('catalog', fromCatalog)
      note('queue', fromQueue)
    },
  }
}

function readingsOf(
  { keeper, queue, hot, feedLag }: StateSources, limits: { limitMs: number; keepMs: number },
): Readings {
  const read = async (): Promise<PartitionCounts> => {
    const counts = await Promise.all(
      DATASETS.map(async (dataset) => [dataset, await keeper.states({ datasets: [dataset] })] as const),
    )
    return counts.filter(([, states]) => Object.values(states).some((count) => count > 0))
  }
  return {
    partitions: keptReading({ read, ...limits }),
    queues: keptReading({ read: () => queue.counts(), ...limits }),
    workers: keptReading({ read: () => keeper.workers(), ...limits }),
    hot: keptReading({ read: () => hot.estimate(), ...limits }),
    lag: keptReading({ read: feedLag, ...limits }),
  }
}

/** A gauge without labels would show 0 where nothing is known. */
function setOrRemove(gauge: Gauge, value: number | null): void {
  if (value === null) gauge.remove()
  else gauge.set(value)
}

function gaugesOf(registry: Registry) {
  const registers = [registry]
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> =>
    new Gauge({ name: `candlelake_${name}`, help, labelNames, registers })
  const absent = (name: string, help: string): Gauge => {
    const made = gauge(name, help, [])
    made.remove()
    return made
  }
  return {
    hotDays: absent('hot_days', 'Days that have hot rows.'),
    hotRows: absent('hot_rows', 'Hot rows, by the estimates of the database.'),
    feedLag: absent('feed_lag_seconds', 'Age of the oldest closed bar that a scheduled series lacks at its end.'),
    feedSeries: gauge('feed_series', 'Series of the schedules that follow the exchange.', ['state']),
    partitions: gauge('partitions', 'Partitions in the catalog.', ['dataset', 'state']),
    queueJobs: gauge('queue_jobs', 'Jobs in the queues.', ['stage', 'state']),
    workers: gauge('workers', 'Workers by their last sign of life.', ['state']),
    up: gauge('up', 'Whether catalog and queue answered this scrape.', ['op']),
    errors: new Counter({
      name: 'candlelake_scrape_errors_total',
      help: 'Readings that failed while a scrape was answered.',
      labelNames: ['op'],
      registers,
    }),
  }
}
