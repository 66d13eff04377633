import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import { planPartitions } from '../../../src/domain/plan.js'
import { partitionKeyOf } from '../../../src/domain/partition.js'
import { jobIdOf } from '../../../src/jobs/stage-job.js'
import {
  advancedTo, advanceOf, claimed, newPartition, newPartitions, openFresh, planned, published, rowOf, wantedSource, type Opened,
} from './catalog-fixture.js'

describe('postgres catalog: plans and runs', () => {
  let catalog: Opened
  before(async () => { catalog = await openFresh() })
  after(() => catalog.drop())

  const wantedOf = (partitions: ReturnType<typeof newPartitions>) =>
    partitions.map((partition) => ({ partition, sources: [wantedSource(partition)], bounds: null }))

  it('makes rows and jobs in the order of the plan, one for each partition', async () => {
    const partitions = newPartitions(50).reverse()
    const { jobs } = await planned(catalog, partitions)
    expect(jobs.map((job) => job.partition)).to.deep.equal(partitions)
    for (const job of jobs) expect(job).to.include({ stage: 'download', generation: 1, kind: 'backfill' })
    const rows = await catalog.plan.rowsOf([...partitions, newPartition()])
    expect([...rows.keys()].sort()).to.deep.equal(partitions.map(partitionKeyOf).sort())
    expect(rows.get(partitionKeyOf(partitions[0] ?? newPartition()))).to.deep.equal({
      generation: 1, state: 'planned', leased: false, sources: [wantedSource(partitions[0] ?? newPartition())],
      bounds: { firstMonth: '2017-08', lastMonth: '2024-12' },
    })
  })

  it('gives exactly one job for each of 1,000 partitions that two planners plan at once', async () => {
    const partitions = newPartitions(500)
    // The other half exists and has failed: both planners want to start it again.
    const failed = newPartitions(500)
    await planned(catalog, failed)
    await catalog.pool.query(`update partitions set state = 'failed' where symbol = $1`, [failed[0]?.symbol])
    const wanted = wantedOf([...partitions, ...failed])
    const runs = await Promise.all([1, 2].map(() => catalog.plan.createRun({ kind: 'backfill', request: {} })))
    const rows = await catalog.plan.rowsOf([...partitions, ...failed])
    const plans = [planPartitions(wanted, rows), planPartitions([...wanted].reverse(), rows)]
    expect(plans.flat().every(({ decision }) => decision.kind === 'start'), 'both start all').to.equal(true)
    const jobs = await Promise.all(runs.map((run, i) => catalog.plan.apply({ run, decisions: plans[i] ?? [] })))
    const ids = jobs.flat().map((job) => jobIdOf(job.stage, job.partition, job.generation))
    expect(new Set(ids).size).to.equal(1_000)
    expect(ids).to.have.length(1_000)
    for (const run of runs) expect((await catalog.plan.progress(run.id)).total).to.equal(1_000)
  })

  it('puts the job of a partition on its way back, at the stage it waits for', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await advancedTo(catalog, partition, 'upload')
    const { jobs } = await planned(catalog, [partition], { kind: 'incremental' })
    expect(jobs).to.deep.equal([{ stage: 'upload', partition, generation: 1, kind: 'incremental' }])
  })

  it('gives no job for a row that has changed since it was read, and links it all the same', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const rows = await catalog.plan.rowsOf([partition])
    const run = await catalog.plan.createRun({ kind: 'backfill', request: {} })
    await advancedTo(catalog, partition, 'convert')
    expect(await catalog.plan.apply({ run, decisions: planPartitions(wantedOf([partition]), rows) })).to.deep.equal([])
    expect((await catalog.plan.progress(run.id)).states.converting).to.equal(1)
  })

  it('leaves finished partitions alone and counts them as done before', async () => {
    const [done, open] = [newPartition(), newPartition()]
    await planned(catalog, [done, open])
    await published(catalog, done, { findings: [{ code: 'GAP_UNKNOWN', count: 1, example: null }] })
    const { run, jobs } = await planned(catalog, [done, open], { etag: 'e1' })
    expect(jobs.map((job) => job.partition)).to.deep.equal([open])
    await catalog.plan.planned(run.id)
    const progress = await catalog.plan.progress(run.id)
    expect(progress).to.deep.include({ total: 2, alreadyDone: 1, rows: 744, bytesIn: 1_000, bytesOut: 700, flagged: 1 })
    expect(progress.states).to.deep.include({ verified: 1, planned: 1 })
    expect(progress.run).to.deep.include({ id: run.id, state: 'running', kind: 'backfill', finishedAt: null })
  })

  it('starts a finished partition again when its source changed, with a raised generation and no figures meanwhile', async () => {
    const partition = newPartition()
    await planned(catalog, [partition])
    await published(catalog, partition)
    const { run, jobs } = await planned(catalog, [partition], { etag: 'e2' })
    expect(jobs).to.deep.include({ stage: 'download', partition, generation: 2, kind: 'backfill' })
    expect(await catalog.plan.progress(run.id)).to.deep.include({ total: 1, alreadyDone: 0, rows: 0, bytesOut: 0 })
    expect((await claimed(catalog, 'download', partition, { generation: 2 })).work.wanted[0]?.etag).to.equal('e2')
  })

  it('does a partition that two runs want once and counts it in both', async () => {
    const partition = newPartition()
    const first = await planned(catalog, [partition])
    const second = await planned(catalog, [partition])
    await published(catalog, partition)
    for (const { run } of [first, second]) {
      await catalog.plan.planned(run.id)
      expect(await catalog.plan.progress(run.id)).to.deep.include({ total: 1, alreadyDone: 0, rows: 744 })
    }
    const finished = await catalog.plan.finishRuns()
    expect(finished).to.include.members([first.run.id, second.run.id])
    expect((await catalog.plan.progress(first.run.id)).run.finishedAt).to.be.instanceOf(Date)
    expect(await catalog.plan.finishRuns()).not.to.include(first.run.id)
  })

  it('does not finish a run that is being planned or has partitions on their way', async () => {
    const partition = newPartition()
    const { run } = await planned(catalog, [partition])
    expect(await catalog.plan.finishRuns()).not.to.include(run.id)
    await catalog.plan.planned(run.id)
    expect(await catalog.plan.finishRuns()).not.to.include(run.id)
    const claim = await claimed(catalog, 'download', partition)
    await catalog.stage.end(claim, { state: 'absent', code: 'ARCHIVE_ABSENT', message: '404', facts: {}, attempt: 0 })
    expect(await catalog.plan.finishRuns()).to.include(run.id)
  })

  it('cancels what no other open run wants, fences executions under way, and keeps the rest', async () => {
    const [own, working, shared, done] = [newPartition(), newPartition(), newPartition(), newPartition()]
    const first = await planned(catalog, [own, working, shared, done])
    const second = await planned(catalog, [shared])
    await published(catalog, done)
    await advancedTo(catalog, working, 'convert')
    const claim = await claimed(catalog, 'convert', working)
    expect(await catalog.plan.cancel(first.run.id)).to.deep.equal({ cancelled: 2, kept: 1 })
    expect(await catalog.stage.commit(claim, advanceOf(claim))).to.equal(false)
    expect(await rowOf(catalog, working)).to.include({ state: 'cancelled', generation: 2, staged_bytes: 0, lease_token: null })
    expect(await rowOf(catalog, shared)).to.include({ state: 'planned', generation: 1 })
    expect(await rowOf(catalog, done)).to.include({ state: 'verified', generation: 1 })
    expect((await catalog.plan.progress(first.run.id)).run).to.include({ state: 'cancelled' })
    expect(await catalog.plan.cancel(first.run.id), 'again').to.deep.equal({ cancelled: 0, kept: 0 })
    expect(await catalog.plan.cancel(second.run.id)).to.deep.equal({ cancelled: 1, kept: 0 })
    const { jobs } = await planned(catalog, [own])
    expect(jobs[0]).to.include({ stage: 'download', generation: 3 })
  })

  it('starts a partition that was cancelled between the look and the plan', async () => {
    const partition = newPartition()
    const first = await planned(catalog, [partition])
    const rows = await catalog.plan.rowsOf([partition])
    const run = await catalog.plan.createRun({ kind: 'incremental', request: {} })
    await catalog.plan.cancel(first.run.id)
    const jobs = await catalog.plan.apply({ run, decisions: planPartitions(wantedOf([partition]), rows) })
    expect(jobs).to.deep.equal([{ stage: 'download', partition, generation: 3, kind: 'incremental' }])
  })

  it('starts a partition that another run brought in and gave up between the look and the plan', async () => {
    const partition = newPartition()
    const rows = await catalog.plan.rowsOf([partition])
    const first = await planned(catalog, [partition])
    await catalog.plan.cancel(first.run.id)
    const run = await catalog.plan.createRun({ kind: 'backfill', request: {} })
    const jobs = await catalog.plan.apply({ run, decisions: planPartitions(wantedOf([partition]), rows) })
    expect(jobs).to.deep.equal([{ stage: 'download', partition, generation: 3, kind: 'backfill' }])
    expect((await catalog.plan.progress(run.id)).states.planned).to.equal(1)
  })

  it('adds nothing to a run that was cancelled while it was planned', async () => {
    const run = await catalog.plan.createRun({ kind: 'backfill', request: {} })
    await catalog.plan.cancel(run.id)
    const partition = newPartition()
    expect((await planned(catalog, [partition], { run })).jobs).to.deep.equal([])
    await catalog.plan.planned(run.id)
    expect(await catalog.plan.progress(run.id)).to.deep.include({ total: 0 })
    expect((await catalog.plan.progress(run.id)).run.state).to.equal('cancelled')
    expect((await catalog.plan.rowsOf([partition])).size).to.equal(0)
  })

  it('leaves no partition of a cancelled run on its way, however plans and cancellations overlap', async () => {
    const partitions = newPartitions(300)
    const runs = await Promise.all(Array.from({ length: 6 }, () => catalog.plan.createRun({ kind: 'backfill', request: {} })))
    await Promise.all(runs.flatMap<Promise<unknown>>((run, i) =>
      [planned(catalog, partitions, { run }), ...(i < 5 ? [catalog.plan.cancel(run.id)] : [])]))
    const last = runs.at(-1)?.id ?? ''
    const { states, total } = await catalog.plan.progress(last)
    expect(total).to.equal(300)
    expect(states.planned, 'wanted by the run that is open').to.equal(300)
    await catalog.plan.cancel(last)
    expect((await catalog.plan.progress(last)).states.cancelled).to.equal(300)
  })

  it('lets a cancellation wait for a batch that is being linked, and then spares what it wants', async () => {
    const [partition, blocked] = [newPartition(), newPartition()]
    const first = await planned(catalog, [partition])
    await planned(catalog, [blocked])
    await catalog.pool.query(`update partitions set state = 'failed' where symbol = $1`, [blocked.symbol])
    const blocker = await catalog.pool.connect()
    await blocker.query('begin')
    await blocker.query('select from partitions where symbol = $1 for update', [blocked.symbol])
    const planning = planned(catalog, [partition, blocked])
    await waiters(1)
    const cancelling = catalog.plan.cancel(first.run.id)
    await waiters(2)
    await blocker.query('commit')
    blocker.release()
    const second = await planning
    expect(second.jobs.map((job) => job.stage)).to.deep.equal(['download', 'download'])
    expect(await cancelling).to.deep.equal({ cancelled: 0, kept: 1 })
    expect(await rowOf(catalog, partition)).to.include({ state: 'planned', generation: 1 })
  })

  /** Waits until so many statements of this database wait for a lock. */
  const waiters = async (count: number): Promise<void> => {
    for (let i = 0; i < 500; i++) {
      const { rows } = await catalog.pool.query<{ waiting: number }>(`select count(*) as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`)
      if (rows[0]?.waiting === count) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`never ${count} waiting`)
  }

  it('knows no run that was never made', async () => {
    for (const ask of [catalog.plan.progress('zzzzz'), catalog.plan.cancel('zzzzz')]) {
      const thrown: unknown = await ask.catch((error: unknown) => error)
      expect(thrown).to.be.instanceOf(PipelineError).with.property('code', 'RUN_ABSENT')
    }
  })

  it('names runs in five characters that are not mixed up, and lists the newest first', async () => {
    const made = []
    for (let i = 0; i < 20; i++) made.push(await catalog.plan.createRun({ kind: 'retry', request: { i, note: 'a\0b' } }))
    for (const { id } of made) expect(id).to.match(/^[0-9a-hjkmnp-tv-z]{5}$/)
    expect(new Set(made.map(({ id }) => id)).size).to.equal(20)
    const newest = made.at(-1)
    expect((await catalog.plan.runs({ limit: 1 }))[0]).to.deep.equal(newest)
    await catalog.plan.cancel(newest?.id ?? '')
    expect((await catalog.plan.runs({ limit: 1, open: true }))[0]?.id).to.equal(made.at(-2)?.id)
  })
})
