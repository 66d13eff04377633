import { expect } from 'chai'
import fc from 'fast-check'
import { partitionKeyOf, type Partition } from '../../../src/domain/partition.js'
import type { Claim } from '../../../src/domain/ports/stage-catalog.js'
import { isLegal, STAGES, STAGE_OF, type State } from '../../../src/domain/states.js'
import {
  LEASE_MS, advanceOf, expire, newPartition, newPartitions, openFresh, planned, rowOf, verifiedAs, type Opened,
} from './catalog-fixture.js'
import { SequenceModel } from './sequence-model.js'

const PARTITIONS = 3
const WORKERS = ['w1', 'w2', 'w3'] as const
const MAX_CRASHES = 2

const at = fc.nat({ max: PARTITIONS - 1 })
/** Which of the claims so far, counted from the latest: mostly the last one, sometimes a stale one. */
const back = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat({ max: 4 }) })
/** How far the generation asked for is behind the row's. */
const behind = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -1, max: 2 }) })

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({
    do: fc.constant('plan' as const), at: fc.uniqueArray(at, { minLength: 1 }), force: fc.boolean(),
  }) },
  { weight: 9, arbitrary: fc.record({
    do: fc.constant('claim' as const), at, worker: fc.constantFrom(...WORKERS), behind,
    stage: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...STAGES) }),
  }) },
  { weight: 18, arbitrary: fc.record({ do: fc.constant('work' as const), at, worker: fc.constantFrom(...WORKERS) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('commit' as const), back }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), back }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), back }) },
  { weight: 2, arbitrary: fc.record({
    do: fc.constant('end' as const), back, state: fc.constantFrom('failed' as const, 'quarantined' as const),
  }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reopen' as const), at, behind }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('giveUp' as const), at, behind }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('requeue' as const), at, behind }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), back: fc.nat({ max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('expire' as const), at }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

type Row = { readonly state: State; readonly generation: number; readonly crashes: number; readonly token: string | null }

/** One sequence over partitions of its own: every answer and every row must be the model's. */
class Sequence {
  readonly model = new SequenceModel(MAX_CRASHES)
  readonly partitions: readonly Partition[] = newPartitions(PARTITIONS)
  readonly claims: { readonly at: number; readonly claim: Claim }[] = []
  readonly seen = new Map<number, { state: State; generation: number }>()
  readonly catalog: Opened
  readonly reached: Map<string, number>

  constructor(catalog: Opened, reached: Map<string, number>) {
    this.catalog = catalog
    this.reached = reached
  }

  async run(steps: readonly Step[]): Promise<void> {
    await this.plan([...this.partitions.keys()], false)
    for (const one of steps) {
      await this.take(one)
      await this.compare()
    }
    for (const [publication, count] of this.model.publications) expect(count, publication).to.equal(1)
  }

  count(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1)
  }

  partition(index: number): Partition {
    return this.partitions[index] ?? newPartition()
  }

  async take(one: Step): Promise<void> {
    switch (one.do) {
      case 'plan': return await this.plan(one.at, one.force)
      case 'claim': return await this.claim(one)
      case 'work': {
        const before = this.claims.length
        await this.claim({ ...one, do: 'claim', behind: 0, stage: null })
        await this.compare()
        const made = this.claims[before]
        return made && (await this.commit(made))
      }
      case 'cancel': {
        const run = this.model.runs.at(-1 - one.back)
        if (run) expect(await this.catalog.plan.cancel(run.id)).to.deep.equal(this.model.cancel(run))
        return
      }
      case 'expire': {
        const lease = this.model.rows.get(one.at)?.lease
        if (!lease || lease.expired) return
        await expire(this.catalog, lease.token)
        lease.expired = true
        return
      }
      case 'reopen': case 'giveUp': case 'requeue': return await this.withoutClaim(one)
      default: return await this.withClaim(one)
    }
  }

  async plan(indexes: readonly number[], force: boolean): Promise<void> {
    const made = await this.catalog.plan.createRun({ kind: 'backfill', request: {} })
    const run = { id: made.id, open: true, partitions: new Set<number>() }
    const wanted = indexes.map((index) => ({ partition: this.partition(index), sources: [], bounds: null }))
    const rows = await this.catalog.plan.rowsOf(wanted.map(({ partition }) => partition))
    for (const index of indexes) {
      const row = rows.get(partitionKeyOf(this.partition(index)))
      expect(row && { ...row, sources: [] }).to.deep.equal(this.model.plannedRow(index))
    }
    this.model.runs.push(run)
    const decisions = indexes.map((index, i) => {
      const decision = this.model.plan(run, index, this.partition(index), force)
      return { wanted: wanted[i] ?? { partition: this.partition(index), sources: [], bounds: null }, decision }
    })
    const jobs = await this.catalog.plan.apply({ run: made, decisions })
    const expected = indexes.flatMap((index, i) => {
      if (decisions[i]?.decision.kind === 'done') return []
      const { state, generation } = this.model.row(index)
      return [{ stage: STAGE_OF[state], partition: this.partition(index), generation, kind: 'backfill' }]
    })
    expect(jobs).to.deep.equal(expected)
  }

  async claim(one: Extract<Step, { do: 'claim' }>): Promise<void> {
    const row = this.model.rows.get(one.at)
    const generation = Math.max(1, (row?.generation ?? 1) - one.behind)
    const stage = one.stage ?? (row ? STAGE_OF[row.state] : null) ?? 'download'
    const expected = this.model.claim(one.at, { stage, generation, workerId: one.worker })
    const result = await this.catalog.stage.claim({
      stage, partition: this.partition(one.at), generation, workerId: one.worker, leaseMs: LEASE_MS,
    })
    expect(result.kind).to.equal(expected)
    this.count(`claim ${result.kind}`)
    if (result.kind !== 'claimed') return
    this.model.granted(one.at, result.claim.token, one.worker)
    this.claims.push({ at: one.at, claim: result.claim })
  }

  async withClaim(one: Extract<Step, { do: 'commit' | 'release' | 'restart' | 'end' }>): Promise<void> {
    const made = this.claims.at(-1 - one.back)
    if (!made) return
    const { claim } = made
    const { stage } = this.catalog
    const state = this.model.row(made.at).state
    const write = (to: State, raise = 0): boolean => this.model.write(made.at, claim, to, raise)
    if (one.do === 'commit') {
      await this.commit(made)
    } else if (one.do === 'release') {
      expect(await stage.release(claim, { code: 'ARCHIVE_BUSY', message: 'later' })).to.equal(write(state))
    } else if (one.do === 'restart') {
      const expected = write('planned', 1) ? { generation: claim.generation + 1 } : null
      expect(await stage.restart(claim, 'STAGING_LOST')).to.deep.equal(expected)
    } else {
      const ended = { state: one.state, code: 'CORRUPT', message: 'bad', facts: {}, attempt: 0 } as const
      expect(await stage.end(claim, ended)).to.equal(write(one.state))
    }
  }

  async commit({ at: index, claim }: { at: number; claim: Claim }): Promise<void> {
    const next = { download: 'converting', convert: 'uploading', upload: 'verifying', verify: 'verified' } as const
    const expected = this.model.write(index, claim, next[claim.stage])
    this.count(expected ? `commit ${claim.stage}` : 'commit fenced')
    if (claim.stage !== 'verify') {
      expect(await this.catalog.stage.commit(claim, advanceOf(claim))).to.equal(expected)
      return
    }
    const effect = () => {
      this.model.published(index, claim.generation)
      return Promise.resolve(verifiedAs(claim.partition))
    }
    expect(await this.catalog.stage.publish(claim, effect)).to.equal(expected)
  }

  async withoutClaim(one: Extract<Step, { do: 'reopen' | 'giveUp' | 'requeue' }>): Promise<void> {
    const row = this.model.rows.get(one.at)
    const partition = this.partition(one.at)
    const generation = Math.max(1, (row?.generation ?? 1) - one.behind)
    const stage = (row ? STAGE_OF[row.state] : null) ?? 'download'
    if (one.do === 'reopen') {
      const expected = this.model.reopen(one.at, generation) ? { generation: generation + 1 } : null
      expect(await this.catalog.stage.reopen({ partition, generation })).to.deep.equal(expected)
    } else if (one.do === 'giveUp') {
      const expected = this.model.giveUp(one.at, stage, generation)
      expect(await this.catalog.stage.giveUp({ stage, partition, generation, code: 'POISONED', message: '' })).to.equal(expected)
    } else {
      const expected = this.model.requeue(one.at, stage, generation) ? [generation + 1] : []
      const jobs = await this.catalog.keeper.requeue([{ partition, generation, stage }])
      expect(jobs.map((job) => job.generation)).to.deep.equal(expected)
    }
  }

  async compare(): Promise<void> {
    const { rows } = await this.catalog.pool.query<Row>(
      'select state, generation, crashes, lease_token as token from partitions where symbol = $1 order by month',
      [this.partition(0).symbol])
    for (const [index, model] of this.model.rows) {
      const is = rows[index]
      expect(is).to.deep.equal({
        state: model.state, generation: model.generation, crashes: model.crashes, token: model.lease?.token ?? null,
      })
      if (!is) continue
      const was = this.seen.get(index)
      if (was) {
        expect(is.generation, 'generation').to.be.at.least(was.generation)
        expect(was.state === is.state || isLegal(was.state, is.state), `${was.state} -> ${is.state}`).to.equal(true)
      }
      this.seen.set(index, is)
    }
  }
}

describe('postgres catalog: any sequence of events', () => {
  let catalog: Opened
  before(async () => { catalog = await openFresh({ maxCrashes: MAX_CRASHES }) })
  after(() => catalog.drop())

  it('ends as the model says: generations rise, one publication each, no stale token writes', async function () {
    this.timeout(300_000)
    const reached = new Map<string, number>()
    const sequences = fc.array(step, { minLength: 15, maxLength: 50, size: 'max' })
    const property = fc.asyncProperty(sequences, (steps) => new Sequence(catalog, reached).run(steps))
    await fc.assert(property, { numRuns: 300 })
    // The sequences are only worth what they reach.
    for (const what of ['claimed', 'held', 'ahead', 'ended', 'superseded', 'poisoned'].map((kind) => `claim ${kind}`)) {
      expect(reached.get(what) ?? 0, what).to.be.greaterThan(0)
    }
    for (const what of [...STAGES.map((stage) => `commit ${stage}`), 'commit fenced']) {
      expect(reached.get(what) ?? 0, what).to.be.greaterThan(5)
    }
  })

  it('lets one write of each kind through for each generation when eight workers and a reconcile do as they like', async function () {
    this.timeout(120_000)
    const partitions = newPartitions(4)
    await planned(catalog, partitions)
    const written: string[] = []
    let fenced = 0
    const random = (below: number): number => Math.floor(Math.random() * below)
    const work = async (workerId: string): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        const partition = partitions[random(4)] ?? newPartition()
        const { state, generation } = await rowOf(catalog, partition) as { state: State; generation: number }
        const stage = STAGE_OF[state]
        if (stage === null) {
          await planned(catalog, [partition], { force: true })
          continue
        }
        const result = await catalog.stage.claim({ stage, partition, generation, workerId, leaseMs: random(3) === 0 ? 1 : 500 })
        if (result.kind === 'poisoned') {
          await catalog.stage.giveUp({ stage, partition, generation, code: 'POISONED', message: '' })
        }
        if (result.kind !== 'claimed') continue
        const { claim } = result
        await new Promise((resolve) => setTimeout(resolve, random(5)))
        const done = stage === 'verify'
          ? await catalog.stage.publish(claim, () => Promise.resolve(verifiedAs(partition)))
          : await catalog.stage.commit(claim, advanceOf(claim))
        if (done) written.push(`${stage} ${partition.month} g${generation}`)
        else fenced++
      }
    }
    const reconcile = async (): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        for (const stage of STAGES) {
          await catalog.keeper.requeue(await catalog.keeper.stale({ stage, unchangedMs: 3, limit: 2 }))
        }
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    await Promise.all([...Array.from({ length: 8 }, (_, i) => work(`w${i}`)), reconcile()])
    expect(written.length - new Set(written).size, 'written twice').to.equal(0)
    expect(written.filter((what) => what.startsWith('verify')).length, 'publications').to.be.greaterThan(0)
    expect(fenced, 'fenced writes').to.be.greaterThan(0)
  })
})
