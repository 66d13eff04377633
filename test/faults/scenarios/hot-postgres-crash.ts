import { setTimeout as sleep } from 'node:timers/promises'
import { asPipelineError, policyOf } from '../../../src/domain/errors.js'
import { monthRange } from '../../../src/domain/month.js'
import type { Partition } from '../../../src/domain/partition.js'
import type { HotStore } from '../../../src/domain/ports/hot-store.js'
import { sliceOf } from '../../../src/domain/slice.js'
import { hotCandleOf } from '../../../src/lake/hot-repository.js'
import { SYMBOLS } from '../archive-sample.js'
import { HotReader, Truth, type Row } from '../hot-reader.js'
import { BACKENDS, openRig, until, type Rig } from '../rig.js'
import type { Scenario } from '../scenario.js'
import { settle } from '../settle.js'

const RESTARTS = 20
const LOAD_MS = 500

export const hotPostgresCrashed: Scenario = {
  name: 'hot-postgres-crashed',
  title: `hot rows survive a Postgres that is stopped ${RESTARTS} times with -m immediate while rows are stored and migrated`,
  backends: BACKENDS,
  async run(o) {
    const rig = await openRig({ backend: o.backend, months: 2, ownPostgres: true })
    try {
      const worker = rig.worker()
      await rig.plan({ symbols: [SYMBOLS[0]] })
      const wrong = await settle(rig)
      const [verified] = rig.sample.partitions.filter((p) => p.symbol === SYMBOLS[0])
      const [late] = rig.sample.partitions.filter((p) => p.symbol === SYMBOLS[1])
      if (!verified || !late) throw new Error('no months')
      const { fromUs, toUs } = monthRange(verified.month)
      const rows = await (await rig.app.repository()).getByDateRange(sliceOf(verified, fromUs, toUs))
      const load = await Load.start(rig, { verified, late, rows })
      let restarts = 0
      for (; restarts < RESTARTS; restarts++) {
        await sleep(LOAD_MS)
        await rig.postgres?.crash()
        await rig.postgres?.start()
      }
      if (!await until(() => load.hasStoredSince(), 20_000)) wrong.push('nothing was stored after the last restart')
      wrong.push(...await load.stop())
      if (!worker.alive) wrong.push(`the worker did not survive:\n${worker.text.slice(-2_000)}`)
      await settle(rig)
      await worker.drain()
      o.say(`${o.backend}: ${restarts} restarts, ${load.tale}, ${wrong.length} violations`)
      return { faults: restarts, violations: wrong }
    } finally {
      await rig.close()
    }
  },
}

type Months = { readonly verified: Partition; readonly late: Partition; readonly rows: readonly Row[] }

/** Stores rows of both months and has them migrated, again and again; one reader polls them. */
class Load {
  stored = 0
  refused = 0
  readonly #rig: Rig
  readonly #months: Months
  readonly #reader: HotReader
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  #mark: number | null = null

  static async start(rig: Rig, months: Months): Promise<Load> {
    const truth = new Truth()
    const map = new Map(months.rows.map((row) => [row.openTimeUs, row]))
    const hot = await rig.app.hot()
    await truth.change(months.verified, map, () => Promise.resolve())
    await truth.change(months.late, map, () => save(hot, months.late, months.rows))
    return new Load(rig, months, new HotReader(await rig.app.repository(), truth), truth)
  }

  constructor(rig: Rig, months: Months, reader: HotReader, truth: Truth) {
    this.#rig = rig
    this.#months = months
    this.#reader = reader
    this.#done = this.#work(truth)
  }

  get tale(): string {
    return `${this.stored} batches stored, ${this.refused} refused, ${this.#reader.reads} readings, ${this.#reader.refused} refused`
  }

  hasStoredSince(): boolean {
    this.#mark ??= this.stored
    return this.stored > this.#mark + 2
  }

  async stop(): Promise<readonly string[]> {
    this.#stop.abort()
    await this.#done
    await this.#reader.stop()
    const wrong = [...this.#reader.violations]
    if (this.refused + this.#reader.refused === 0) wrong.push('nobody noticed that Postgres was away')
    return wrong
  }

  /** A batch that was acknowledged stays; one that was not is stored again, so that readers know what to expect. */
  async #work(truth: Truth): Promise<void> {
    const { verified, late, rows } = this.#months
    const hot = await this.#rig.app.hot()
    for (let n = 1; !this.#stop.signal.aborted; n++) {
      const at = (n * 37) % (rows.length - 30)
      const some = rows.slice(at, at + 30)
      const changed = some.map((row) => ({ ...row, trades: row.trades + n }))
      const after = new Map(truth.rows(late))
      for (const row of changed) after.set(row.openTimeUs, row)
      await truth.change(late, after, () => this.#insist(() => save(hot, late, changed)))
      await this.#insist(() => save(hot, verified, some))
      this.stored += 2
      if (n % 5 === 0) await this.#insist(() => this.#rig.app.enqueueMigrations([verified, late]))
    }
  }

  async #insist(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await work()
        return
      } catch (thrown) {
        const error = asPipelineError(thrown)
        if (policyOf(error.code).infrastructure !== true) throw error
        this.refused++
        await sleep(50)
      }
    }
  }
}

const save = (hot: HotStore, p: Partition, rows: readonly Row[]): Promise<number> =>
  hot.save(p, rows.map((row) => hotCandleOf(row, p, 'double')), 'closed')
