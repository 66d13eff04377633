import { setTimeout as sleep } from 'node:timers/promises'
import { COMPARED } from '../../src/domain/compare-rows.js'
import { asPipelineError, policyOf } from '../../src/domain/errors.js'
import { monthRange } from '../../src/domain/month.js'
import { partitionKeyOf, type Partition } from '../../src/domain/partition.js'
import { sliceOf } from '../../src/domain/slice.js'
import type { Candle } from '../../src/lake/candle.js'
import type { HybridRepository } from '../../src/lake/hybrid-repository.js'

/** Between looks: what is killed and starts again needs the processor, too. */
const PAUSE_MS = 20

export type Row = Candle<unknown>

const FIELDS = ['openTimeUs', ...COMPARED] as const

/** One row as text: what a reader may see of it. */
const textOf = (row: Row): string => FIELDS.map((field) => String(row[field])).join()

/** What months must show, hot and warm together, at every instant; while rows are written, before or after. */
export class Truth {
  readonly #months = new Map<string, { readonly partition: Partition; allowed: ReadonlySet<string> }>()
  readonly #watched = new Set<{ readonly key: string; readonly allowed: Set<string> }>()
  readonly #rows = new Map<string, ReadonlyMap<bigint, Row>>()

  get partitions(): Partition[] {
    return [...this.#months.values()].map(({ partition }) => partition)
  }

  rows(p: Partition): ReadonlyMap<bigint, Row> {
    return this.#rows.get(partitionKeyOf(p)) ?? new Map<bigint, Row>()
  }

  /** What a reader may see of a month that begins now: grows with every change until it is let go. */
  watch(p: Partition): { readonly allowed: ReadonlySet<string>; letGo(): void } {
    const key = partitionKeyOf(p)
    const one = { key, allowed: new Set(this.#months.get(key)?.allowed) }
    this.#watched.add(one)
    return { allowed: one.allowed, letGo: () => this.#watched.delete(one) }
  }

  /** Runs a change of a month; until it is over readers may see the rows of before. */
  async change(p: Partition, after: ReadonlyMap<bigint, Row>, work: () => Promise<unknown>): Promise<void> {
    const key = partitionKeyOf(p)
    const [before, then] = [wholeOf(this.rows(p)), wholeOf(after)]
    this.#months.set(key, { partition: p, allowed: new Set([before, then]) })
    for (const one of this.#watched) if (one.key === key) one.allowed.add(then)
    await work()
    this.#rows.set(key, after)
    this.#months.set(key, { partition: p, allowed: new Set([then]) })
  }
}

const wholeOf = (rows: ReadonlyMap<bigint, Row>): string => textOfAll([...rows.values()])

const textOfAll = (rows: readonly Row[]): string =>
  [...rows].sort((a, b) => (a.openTimeUs < b.openTimeUs ? -1 : 1)).map(textOf).join('\n')

/** Polls every month all the time, until it is told to stop; says what it saw that was not so. */
export class HotReader {
  reads = 0
  /** Readings that a service refused, which is not away for ever. */
  refused = 0
  readonly #violations = new Set<string>()
  readonly #stop = new AbortController()
  readonly #done: Promise<void>

  constructor(repository: HybridRepository<unknown>, truth: Truth) {
    this.#done = this.#poll(repository, truth)
  }

  get violations(): readonly string[] {
    return [...this.#violations]
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }

  async #poll(repository: HybridRepository<unknown>, truth: Truth): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const p of truth.partitions) await this.#read(repository, truth, p)
      await sleep(PAUSE_MS)
    }
  }

  async #read(repository: HybridRepository<unknown>, truth: Truth, p: Partition): Promise<void> {
    const { fromUs, toUs } = monthRange(p.month)
    const watched = truth.watch(p)
    try {
      const seen = await repository.getByDateRange(sliceOf(p, fromUs, toUs))
      this.reads++
      const text = textOfSeen(seen)
      if (!watched.allowed.has(text)) this.#violations.add(this.#sentence(p, seen, truth.rows(p)))
    } catch (thrown) {
      const { code, message } = asPipelineError(thrown)
      if (policyOf(code).infrastructure === true) this.refused++
      else this.#violations.add(`reading ${partitionKeyOf(p)}: ${code} ${message}`)
    } finally {
      watched.letGo()
    }
  }

  #sentence(p: Partition, seen: readonly Row[], rows: ReadonlyMap<bigint, Row>): string {
    const times = new Set(seen.map(({ openTimeUs }) => openTimeUs))
    const lacks = [...rows.keys()].filter((us) => !times.has(us)).length
    const other = seen.filter((row) => textOf(row) !== textOf(rows.get(row.openTimeUs) ?? row)).length
    const twice = seen.length - times.size
    return `${partitionKeyOf(p)}: a reader saw ${seen.length} rows of ${rows.size}, ${lacks} lacking, ${twice} twice, ${other} others`
  }
}

/** In the order in which they came: rows out of order are a violation, too. */
const textOfSeen = (rows: readonly Row[]): string => rows.map(textOf).join('\n')
