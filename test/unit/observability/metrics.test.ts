import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { DATASETS } from '../../../src/domain/dataset.js'
import { ERRORS, PipelineError, type ErrorCode } from '../../../src/domain/errors.js'
import type { FeedLag } from '../../../src/domain/feed-lag.js'
import { VERDICTS, type FindingCode } from '../../../src/domain/findings.js'
import type { JobOutcome, WorkEvent } from '../../../src/domain/ports/observe.js'
import { JOB_STAGES, STATES, type JobStage, type State } from '../../../src/domain/states.js'
import { createMetrics, type Metrics } from '../../../src/observability/metrics.js'
import { countsOf, partitionOf, statesOf, serverParts } from '../../support/server-parts.js'

const ALLOWED_LABELS = ['stage', 'dataset', 'interval', 'state', 'outcome', 'code', 'op', 'le']
const OUTCOMES: readonly JobOutcome[] = ['ok', 'retry', 'delayed', 'failed', 'quarantined', 'fenced', 'skipped']
/** Those that a stage can end with. */
const CODES = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => !('asked' in ERRORS[code]))

const fresh = (): Metrics => createMetrics({ version: '1.2.3', backend: 'redis', limits: { limitMs: 100, keepMs: 0 } })

const { hot, feedLag } = serverParts()
const HOT = { hot, feedLag }
/** What a scrape shows of the state, by its names. */
const OF_STATE = /candlelake_(up\{|partitions\{|queue_jobs|workers\{|hot_|feed_(lag|series))/

type JobEvent = Extract<WorkEvent, { type: 'job' }>

const jobOf = (stage: JobStage, outcome: JobOutcome, some: Partial<JobEvent> = {}): WorkEvent => ({
  type: 'job', stage, outcome, partition: partitionOf('BTCUSDT'), code: null, seconds: 2, waitSeconds: 7, bytesIn: 100,
  bytesOut: 40, rows: 744, ...some,
})

/** The series of one scrape, `name{labels}` to value. */
async function scraped(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.scrape()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => {
    const end = line.lastIndexOf(' ')
    return [line.slice(0, end), Number(line.slice(end + 1))]
  }))
}

describe('metrics of the work', () => {
  it('counts jobs, rows, bytes, retries and fenced commits by stage', async () => {
    const metrics = fresh()
    metrics.observe({ type: 'bytes', stage: 'download', count: 60 })
    metrics.observe({ type: 'bytes', stage: 'download', count: 40 })
    metrics.observe(jobOf('download', 'ok'))
    metrics.observe(jobOf('convert', 'ok'))
    metrics.observe(jobOf('convert', 'retry', { code: 'ENGINE_CRASHED', rows: 5 }))
    metrics.observe(jobOf('verify', 'fenced'))
    const series = await scraped(metrics)
    expect(series.get('candlelake_jobs_total{stage="download",outcome="ok",code=""}')).to.equal(1)
    expect(series.get('candlelake_jobs_total{stage="convert",outcome="retry",code="ENGINE_CRASHED"}')).to.equal(1)
    expect(series.get('candlelake_bytes_received_total{stage="download"}')).to.equal(100)
    expect(series.get('candlelake_bytes_received_total{stage="convert"}')).to.equal(200)
    expect(series.get('candlelake_bytes_written_total{stage="convert"}')).to.equal(80)
    expect(series.get('candlelake_rows_total{stage="convert",dataset="spot-klines"}')).to.equal(744)
    expect(series.get('candlelake_retries_total{stage="convert"}')).to.equal(1)
    expect(series.get('candlelake_fenced_commits_total{stage="verify"}')).to.equal(1)
    expect(series.get('candlelake_fenced_commits_total{stage="upload"}')).to.equal(0)
  })

  it('times executions and waits, and leaves out those that did nothing', async () => {
    const metrics = fresh()
    metrics.observe(jobOf('upload', 'ok', { seconds: 0.2, waitSeconds: 20 }))
    metrics.observe(jobOf('upload', 'delayed', { seconds: 99 }))
    metrics.observe(jobOf('upload', 'skipped', { seconds: 99 }))
    const series = await scraped(metrics)
    const duration = (part: string, le = ''): number | undefined =>
      series.get(`candlelake_job_duration_seconds_${part}{${le}stage="upload",dataset="spot-klines"}`)
    expect(duration('count')).to.equal(1)
    expect(duration('sum')).to.equal(0.2)
    expect(duration('bucket', 'le="0.1",')).to.equal(0)
    expect(duration('bucket', 'le="0.25",')).to.equal(1)
    expect(series.get('candlelake_job_wait_seconds_count{stage="upload"}')).to.equal(2)
  })

  it('counts ends by state, quarantines by code, and each kind of finding once a partition', async () => {
    const metrics = fresh()
    const finding = (code: FindingCode) => ({ code, count: 3, example: null })
    const findings = [finding('GAP_UNKNOWN'), finding('GAP_UNKNOWN'), finding('DUPLICATE_ROWS')]
    const end = (state: State, code: ErrorCode | null): WorkEvent =>
      ({ type: 'finished', partition: partitionOf('BTCUSDT'), state, findings, code, message: null })
    metrics.observe(end('verified', null))
    metrics.observe(end('quarantined', 'CORRUPT'))
    const series = await scraped(metrics)
    expect(series.get('candlelake_finished_partitions_total{dataset="spot-klines",state="verified"}')).to.equal(1)
    expect(series.get('candlelake_quarantined_partitions_total{code="CORRUPT"}')).to.equal(1)
    expect(series.get('candlelake_findings_total{code="GAP_UNKNOWN"}')).to.equal(2)
  })

  it('counts what the exchange answers and what is stored, and knows no weight before it is told one', async () => {
    const metrics = fresh()
    const weightLimit = 4_800
    const answered = (status: number | null, usedWeight: number | null): void =>
      metrics.observe({ type: 'exchange', status, usedWeight, weightLimit })
    answered(null, null)
    const before = await scraped(metrics)
    expect(before.get('candlelake_exchange_requests_total{code=""}')).to.equal(1)
    expect([...before.keys()].filter((name) => /weight/.test(name))).to.deep.equal([])
    answered(200, 12)
    answered(429, 6_001)
    answered(403, null)
    for (const stored of [1_000, 440]) metrics.observe({ type: 'fed', series: partitionOf('BTCUSDT'), stored })
    const series = await scraped(metrics)
    for (const code of ['200', '429', '403']) {
      expect(series.get(`candlelake_exchange_requests_total{code="${code}"}`), code).to.equal(1)
    }
    expect(series.get('candlelake_exchange_used_weight')).to.equal(6_001)
    expect(series.get('candlelake_exchange_weight_limit')).to.equal(4_800)
    expect(series.get('candlelake_feed_rows_total{dataset="spot-klines",interval="1h"}')).to.equal(1_440)
  })

  it('says how many subscriptions are open, and counts those that healed', async () => {
    const metrics = fresh()
    for (const open of [1, 2, 1]) metrics.observe({ type: 'subscriptions', open })
    metrics.observe({ type: 'healed', awayMs: 800 })
    const series = await scraped(metrics)
    expect(series.get('candlelake_subscriptions')).to.equal(1)
    expect(series.get('candlelake_subscriptions_healed_total')).to.equal(1)
  })

  it('stays below 2,000 series whatever happens to 500 symbols, and names none of them', async () => {
    const metrics = fresh()
    const states = statesOf(Object.fromEntries(STATES.map((state) => [state, 1])))
    metrics.readFrom({
      ...HOT,
      keeper: { states: () => Promise.resolve(states), workers }, queue: { counts: () => Promise.resolve(countsOf()) },
    })
    const findings = (Object.keys(VERDICTS) as FindingCode[]).map((code) => ({ code, count: 1, example: null }))
    for (let i = 0; i < 500; i++) {
      const partition = { ...partitionOf(`SYM${i}USDT`), dataset: DATASETS[i % DATASETS.length] ?? 'spot-klines' }
      const code = CODES[i % CODES.length] ?? 'UNEXPECTED'
      for (const stage of JOB_STAGES) {
        for (const outcome of OUTCOMES) metrics.observe(jobOf(stage, outcome, { partition, code }))
        if (stage !== 'migrate') metrics.observe({ type: 'bytes', stage, count: 1 })
      }
      for (const state of STATES) metrics.observe({ type: 'finished', partition, state, findings, code, message: null })
    }
    const series = await scraped(metrics)
    expect([...series.keys()].filter((name) => /SYM\d/.test(name))).to.deep.equal([])
    expect(series.size).to.be.greaterThan(1_000)
    expect(series.size).to.be.lessThan(2_000)
  })
})

const { workers } = serverParts().keeper

describe('metrics of the state', () => {
  it('reads partitions and queues at the scrape', async () => {
    const metrics = fresh()
    const states = statesOf({ verified: 7, late: 1 })
    metrics.readFrom({
      ...HOT,
      keeper: {
        states: (filter) => Promise.resolve(filter?.datasets?.[0] === 'um-klines' ? states : statesOf({})),
        workers: async () => [...(await workers()), ...(await workers()).map((one) => ({ ...one, lost: true }))],
      },
      queue: { counts: () => Promise.resolve(countsOf({ waiting: 4 })) },
    })
    const series = await scraped(metrics)
    expect(series.get('candlelake_partitions{dataset="um-klines",state="verified"}')).to.equal(7)
    expect([...series.keys()].filter((name) => /partitions\{dataset="spot-klines"/.test(name))).to.deep.equal([])
    expect(series.get('candlelake_queue_jobs{stage="convert",state="waiting"}')).to.equal(4)
    expect(series.get('candlelake_workers{state="living"}')).to.equal(1)
    expect(series.get('candlelake_workers{state="lost"}')).to.equal(1)
    expect(series.get('candlelake_up{op="catalog"}')).to.equal(1)
  })

  it('reads what is hot, and how far it is behind; a lag that nobody knows is not shown as 0', async () => {
    const metrics = fresh()
    let lag: FeedLag = { stored: 3, empty: 1, behindSeconds: 61.5 }
    metrics.readFrom({
      keeper: { states: () => Promise.resolve(statesOf({})), workers },
      queue: { counts: () => Promise.resolve(countsOf()) },
      hot: { estimate: () => Promise.resolve({ days: 31, rows: 44_640 }) }, feedLag: () => Promise.resolve(lag),
    })
    const series = await scraped(metrics)
    expect([series.get('candlelake_hot_days'), series.get('candlelake_hot_rows')]).to.deep.equal([31, 44_640])
    expect(series.get('candlelake_feed_lag_seconds')).to.equal(61.5)
    const counted = ['stored', 'empty'].map((state) => series.get(`candlelake_feed_series{state="${state}"}`))
    expect(counted).to.deep.equal([3, 1])
    lag = { stored: 0, empty: 4, behindSeconds: null }
    const later = await scraped(metrics)
    expect(later.get('candlelake_feed_lag_seconds')).to.equal(undefined)
    expect(later.get('candlelake_feed_series{state="empty"}')).to.equal(4)
  })

  it('survives a catalog that is down and queues that hang, says so, and shows no old figures', async () => {
    const metrics = fresh()
    const refused = new PipelineError('CATALOG_UNREACHABLE', 'refused')
    let down = false
    metrics.readFrom({
      hot: { estimate: () => (down ? Promise.reject(refused) : hot.estimate()) },
      feedLag: () => (down ? Promise.reject(refused) : feedLag()),
      keeper: {
        states: () => (down ? Promise.reject(refused) : Promise.resolve(statesOf({ late: 1 }))),
        workers: () => (down ? Promise.reject(refused) : workers()),
      },
      queue: { counts: () => (down ? new Promise(() => undefined) : Promise.resolve(countsOf())) },
    })
    const before = await scraped(metrics)
    expect(before.get('candlelake_partitions{dataset="cm-klines",state="late"}')).to.equal(1)
    expect([before.get('candlelake_hot_days'), before.get('candlelake_feed_lag_seconds')]).to.deep.equal([30, 0])
    down = true
    const series = await scraped(metrics)
    expect([...series.keys()].filter((name) => OF_STATE.test(name) && !name.includes('_up{'))).to.deep.equal([])
    expect(series.get('candlelake_up{op="catalog"}')).to.equal(0)
    expect(series.get('candlelake_up{op="queue"}')).to.equal(0)
    expect(series.get('candlelake_scrape_errors_total{op="catalog"}')).to.equal(1)
    expect(series.get('candlelake_scrape_errors_total{op="queue"}')).to.equal(1)
    down = false
    expect((await scraped(metrics)).get('candlelake_up{op="catalog"}')).to.equal(1)
  })

  it('a process that watches nothing shows no state, and none is left when watching ends', async () => {
    const metrics = fresh()
    const shown = async (): Promise<string[]> =>
      [...(await scraped(metrics)).keys()].filter((name) => OF_STATE.test(name))
    expect(await shown()).to.deep.equal([])
    const end = metrics.readFrom({
      ...HOT,
      keeper: { states: () => Promise.resolve(statesOf({ late: 1 })), workers },
      queue: { counts: () => Promise.resolve(countsOf()) },
    })
    expect(await shown()).to.not.deep.equal([])
    end()
    expect(await shown()).to.deep.equal([])
  })
})

describe('names of metrics', () => {
  const metrics = fresh()
  const ours = metrics.registry.getMetricsAsArray().filter(({ name }) => !/^(process|nodejs)_/.test(name))
  const documented = readFileSync(resolve(import.meta.dirname, '../../../../docs/metrics.md'), 'utf8')
    .split('\n').filter((line) => line.startsWith('| `candlelake_'))
    .map((line) => line.split('|').slice(1, 4).map((cell) => cell.replaceAll('`', '').trim()))

  it('begin with candlelake_, counters end in _total, and times are in seconds', () => {
    expect(ours.length).to.be.greaterThan(10)
    for (const { name, type } of ours) {
      expect(name).to.match(/^candlelake_[a-z_]+$/)
      expect(name.endsWith('_total'), name).to.equal(String(type) === 'counter')
      if (String(type) === 'histogram') expect(name).to.match(/_seconds$/)
    }
  })

  it('carry the agreed labels and no others, but for what says which build runs', () => {
    const foreign = ours.flatMap((metric) => ('labelNames' in metric ? (metric.labelNames as string[]) : [])
      .filter((label) => !ALLOWED_LABELS.includes(label)).map((label) => `${metric.name} ${label}`))
    expect(foreign).to.deep.equal(['candlelake_build_info version', 'candlelake_build_info backend'])
  })

  it('are the documented ones, with their types and labels', () => {
    const registered = ours.map((metric) => [
      metric.name, String(metric.type), ('labelNames' in metric ? (metric.labelNames as string[]) : [])
        .filter((label) => label !== 'le').join(', '),
    ])
    expect(documented.toSorted()).to.deep.equal(registered.toSorted())
  })
})
