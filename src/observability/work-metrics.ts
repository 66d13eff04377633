import { Counter, Histogram, type Registry } from 'prom-client'
import type { JobOutcome, Observe, WorkEvent } from '../domain/ports/observe.js'
import { JOB_STAGES } from '../domain/states.js'
import { feedMetrics } from './feed-metrics.js'

const DURATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
const WAIT_BUCKETS = [0.1, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]

type JobEvent = Extract<WorkEvent, { type: 'job' }>
/** Outcomes that need no reason. */
const UNCODED: readonly JobOutcome[] = ['ok', 'skipped', 'fenced']
type FinishedEvent = Extract<WorkEvent, { type: 'finished' }>

/**
 * Counts what happened in this process. No label names a symbol: 3,000 of them would make one histogram 180,000
 * series. Codes are on `jobs` only, so that the product of all labels stays below 2,000 series.
 */
export function workMetrics(registry: Registry): Observe {
  const [m, feed] = [metricsOf(registry), feedMetrics(registry)]
  // A counter that starts at 1 hides its first event from `increase()`.
  for (const stage of JOB_STAGES) [m.retries, m.fenced].forEach((counter) => counter.inc({ stage }, 0))

  const job = (e: JobEvent): void => {
    const { stage } = e
    const { dataset } = e.partition
    m.jobs.inc({ stage, outcome: e.outcome, code: UNCODED.includes(e.outcome) ? '' : (e.code ?? '') })
    if (e.outcome === 'retry') m.retries.inc({ stage })
    if (e.outcome === 'fenced') m.fenced.inc({ stage })
    // A delayed job waits on and a skipped one did nothing: both would make the work look quicker than it is.
    if (e.outcome !== 'delayed') m.waits.observe({ stage }, Math.max(0, e.waitSeconds))
    if (e.outcome !== 'delayed' && e.outcome !== 'skipped') m.durations.observe({ stage, dataset }, e.seconds)
    // Downloads report each chunk as it comes, so that what broken transfers received is counted too.
    if (stage !== 'download') m.received.inc({ stage }, e.bytesIn)
    m.written.inc({ stage }, e.bytesOut)
    if (e.outcome === 'ok') m.rows.inc({ stage, dataset }, e.rows)
  }

  const finished = (e: FinishedEvent): void => {
    m.finished.inc({ dataset: e.partition.dataset, state: e.state })
    if (e.state === 'quarantined') m.quarantined.inc({ code: e.code ?? '' })
    for (const code of new Set(e.findings.map((finding) => finding.code))) m.findings.inc({ code })
  }

  return (event) => {
    switch (event.type) {
      case 'job': return job(event)
      case 'bytes': return m.received.inc({ stage: event.stage }, event.count)
      case 'finished': return finished(event)
      case 'tick': return m.ticks.inc({ op: event.task, outcome: event.outcome, code: event.code ?? '' })
      case 'exchange': case 'fed': case 'subscriptions': case 'healed': return feed(event)
    }
  }
}

function metricsOf(registry: Registry) {
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name: `candlelake_${name}`, help, labelNames, registers })
  const histogram = <L extends string>(
    name: string, help: string, labelNames: readonly L[], buckets: number[],
  ): Histogram<L> => new Histogram({ name: `candlelake_${name}`, help, labelNames, buckets, registers })
  return {
    jobs: counter('jobs_total', 'Executions of jobs that ended.', ['stage', 'outcome', 'code']),
    durations: histogram('job_duration_seconds', 'Time that executions took.', ['stage', 'dataset'], DURATION_BUCKETS),
    waits: histogram('job_wait_seconds', 'Time from enqueueing to execution.', ['stage'], WAIT_BUCKETS),
    received: counter('bytes_received_total', 'Bytes that a stage took in.', ['stage']),
    written: counter('bytes_written_total', 'Bytes that a stage gave on.', ['stage']),
    rows: counter('rows_total', 'Rows in committed work.', ['stage', 'dataset']),
    retries: counter('retries_total', 'Executions that failed and are tried again.', ['stage']),
    fenced: counter('fenced_commits_total', 'Results refused because newer work had begun.', ['stage']),
    quarantined: counter('quarantined_partitions_total', 'Partitions put into quarantine.', ['code']),
    findings: counter('findings_total', 'Finished partitions that have this finding.', ['code']),
    finished: counter('finished_partitions_total', 'Partitions that reached an end.', ['dataset', 'state']),
    ticks: counter('schedule_ticks_total', 'Ticks of schedules that ended.', ['op', 'outcome', 'code']),
  }
}
