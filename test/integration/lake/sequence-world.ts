import type { HotCandle } from '../../../src/domain/hot-candle.js'
import { monthOfUs } from '../../../src/domain/month.js'

const DAY_US = 86_400_000_000n

export const dayOf = (us: bigint): string => new Date(Number(us / 1_000n)).toISOString().slice(0, 10)
const endOfDay = (us: bigint): bigint => (us / DAY_US + 1n) * DAY_US

/** What both sides hold, as maps by open time. */
export class Model {
  readonly hot = new Map<bigint, { readonly row: HotCandle; readonly standing: number }>()
  readonly warm = new Map<bigint, HotCandle>()
  /** Months that the lake shows, and whether they are provisional. */
  readonly months = new Map<string, { readonly provisional: boolean }>()

  save(rows: readonly HotCandle[], standing: number): number {
    const last = new Map(rows.map((row) => [row.openTimeUs, row]))
    const taken = [...last.values()].filter((row) => (this.hot.get(row.openTimeUs)?.standing ?? -1) <= standing)
    for (const row of taken) this.hot.set(row.openTimeUs, { row, standing })
    return taken.length
  }

  publish(month: string, rows: readonly HotCandle[], provisional: boolean): void {
    for (const us of this.warm.keys()) if (monthOfUs(us) === month) this.warm.delete(us)
    for (const row of rows) this.warm.set(row.openTimeUs, row)
    this.months.set(month, { provisional })
  }

  rows(): HotCandle[] {
    const closed = [...this.hot].flatMap(([us, { row, standing }]) => (standing > 0 ? [[us, row] as const] : []))
    const all = new Map([...this.warm])
    for (const [us, row] of closed) if (!all.has(us) || !this.#isVerified(us)) all.set(us, row)
    return [...all.values()].sort((a, b) => (a.openTimeUs < b.openTimeUs ? -1 : 1))
  }

  /** Rows of a month that a provisional one is made of. */
  closed(month: string): HotCandle[] {
    return [...this.hot.values()].flatMap(({ row, standing }) =>
      (standing > 0 && monthOfUs(row.openTimeUs) === month ? [row] : []))
  }

  /** Days that end at or before `limitUs` and whose closed rows a verified month holds. */
  held(limitUs: bigint): string[] {
    const days = new Map<string, boolean>()
    for (const [us, { row, standing }] of this.hot) {
      if (endOfDay(us) > limitUs) continue
      const is = this.#isVerified(us) && (standing === 0 || this.#isSame(us, row))
      days.set(dayOf(us), (days.get(dayOf(us)) ?? true) && is)
    }
    return [...days].filter(([, is]) => is).map(([day]) => day).sort()
  }

  /** Rows from `fromUs` on, past `limitUs`, that a verified month has otherwise take its values; gives how many. */
  correct(limitUs: bigint, fromUs: bigint): number {
    let corrected = 0
    for (const [us, { row, standing }] of this.hot) {
      const other = this.warm.get(us)
      if (us < fromUs || endOfDay(us) > limitUs || standing === 0 || !other || !this.#isVerified(us) || this.#isSame(us, row)) continue
      this.hot.set(us, { row: other, standing: 2 })
      corrected++
    }
    return corrected
  }

  remove(days: readonly string[]): void {
    for (const us of this.hot.keys()) if (days.includes(dayOf(us))) this.hot.delete(us)
  }

  #isVerified(us: bigint): boolean {
    return this.months.get(monthOfUs(us))?.provisional === false
  }

  #isSame(us: bigint, row: HotCandle): boolean {
    const other = this.warm.get(us)
    return other !== undefined && plain(row) === plain(other)
  }
}

const plain = ({ openTimeUs, closeTimeUs, ...rest }: HotCandle): string =>
  JSON.stringify([String(openTimeUs), String(closeTimeUs), rest])
