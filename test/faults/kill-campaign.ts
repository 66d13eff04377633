import { setTimeout as sleep } from 'node:timers/promises'
import { STAGE_FAILPOINTS, type Failpoint } from '../../src/domain/failpoints.js'
import { addMonths, monthsBetween } from '../../src/domain/month.js'
import type { Partition } from '../../src/domain/partition.js'
import { STAGES } from '../../src/domain/states.js'
import { FIRST_MONTH } from './archive-sample.js'
import { violations } from './invariants.js'
import { killAt, type Kill } from './kill-at.js'
import type { Reference } from './reference.js'
import { openRig, type BackendName, type Rig } from './rig.js'
import { randomOf, shuffled, type Outcome } from './scenario.js'

/** Armed workers at a time. */
const LANES = 2
/**
 * Beside them a worker lives that takes one job of a stage at a time. Without it nobody but the dying has a partition
 * in hand, round after round the same ones, and what dies ten times in a row is rightly given up.
 */
const HEALTHY = Object.fromEntries(STAGES.map((stage) => [`${stage.toUpperCase()}_CONCURRENCY`, '1']))
/** A point that no worker came to in this time is a violation: its fault did not happen. */
const REACH_MS = 45_000
/** Months planned at a time, of one symbol. */
const FEED = 3

export type Campaign = {
  readonly backend: BackendName
  readonly count: number
  readonly seed: number
  readonly months: number
  readonly reference: Reference
  readonly say?: (line: string) => void
}

/**
 * Kills workers at failpoints, every point once a round, in an order that the seed gives, over one lake, catalog and
 * queue. Each round ends when everything is finished, with the invariants over the whole lake. When all months are
 * there they are done again, so that later rounds replace what earlier ones published.
 */
export async function killCampaign(o: Campaign): Promise<Outcome & { readonly kills: readonly Kill[] }> {
  const rig = await openRig({ backend: o.backend, months: o.months })
  const random = randomOf(o.seed)
  const feeder = new Feeder(rig, random)
  const kills: Kill[] = []
  const wrong: string[] = []
  try {
    const healthy = rig.worker({ env: HEALTHY })
    while (kills.length < o.count && wrong.length === 0) {
      const points = shuffled(STAGE_FAILPOINTS, random).slice(0, o.count - kills.length)
      const lane = async (): Promise<void> => {
        for (let point = points.shift(); point !== undefined; point = points.shift()) {
          const kill = await killAt(rig, point, { reachMs: REACH_MS, feed: (signal) => feeder.keepFed(point, signal) })
          if (kill) kills.push(kill)
          else wrong.push(`no worker died at ${point}`)
        }
      }
      await Promise.all(Array.from({ length: LANES }, lane))
      wrong.push(...await violations(rig, { reference: o.reference, partitions: feeder.planned }))
      o.say?.(`${o.backend}: ${kills.length} of ${o.count} killed, ${wrong.length} violations`)
    }
    await healthy.drain()
    return { faults: kills.length, violations: wrong, kills }
  } finally {
    await rig.close()
  }
}

/** Plans so much that a worker finds work at the point where it is to die. */
class Feeder {
  readonly planned: Partition[] = []
  readonly #rig: Rig
  readonly #random: () => number
  #turn: Promise<unknown> = Promise.resolve()

  constructor(rig: Rig, random: () => number) {
    this.#rig = rig
    this.#random = random
  }

  async keepFed(point: Failpoint, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#turn = this.#turn.then(() => (signal.aborted ? undefined : this.#feed(point)))
      await this.#turn
      await sleep(500, undefined, { signal }).catch(() => undefined)
    }
  }

  async #feed(point: Failpoint): Promise<void> {
    const unfinished = await (await this.#rig.app.keeper()).unfinished()
    const last = STAGES.findIndex((stage) => point.startsWith(`${stage}.`))
    const before = STAGES.slice(0, last + 1).reduce((sum, stage) => sum + unfinished[stage], 0)
    if (before >= 2 * FEED) return
    const { partitions } = this.#rig.sample
    const fresh = partitions.slice(this.planned.length, this.planned.length + FEED)
    const again = partitions.slice(Math.floor(this.#random() * (partitions.length - FEED))).slice(0, FEED)
    await this.#plan(fresh.length > 0 ? fresh : again, fresh.length === 0)
    this.planned.push(...fresh)
  }

  async #plan(some: readonly Partition[], force: boolean): Promise<void> {
    for (const symbol of new Set(some.map((p) => p.symbol))) {
      const months = some.filter((p) => p.symbol === symbol).map((p) => monthsBetween(FIRST_MONTH, p.month))
      const range = [addMonths(FIRST_MONTH, Math.min(...months)), addMonths(FIRST_MONTH, Math.max(...months))] as const
      await this.#rig.plan({ symbols: [symbol], months: range, force })
    }
  }
}
