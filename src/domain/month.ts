import { clip } from './dataset.js'
import { PipelineError } from './errors.js'

/** A UTC calendar month, `2024-01`. Sorts as text. */
export type Month = string

/** Half-open UTC range of open times, microseconds since 1970: `[fromUs, toUs)`. */
export type TimeRange = { readonly fromUs: bigint; readonly toUs: bigint }

export const US_PER_MS = 1_000n
export const US_PER_DAY = 86_400_000_000n
/** Instants are written with years of four digits. */
export const YEAR_10000_US = 253_402_300_800_000_000n

/** @throws {BAD_RANGE} */
export function parseMonth(text: string): Month {
  if (/^(19[7-9]\d|20\d\d)-(0[1-9]|1[0-2])$/.test(text)) return text
  throw new PipelineError('BAD_RANGE', `"${clip(text)}" is not a month`, { do: 'use a month like 2024-01' })
}

const indexOf = (month: Month): number => Number(month.slice(0, 4)) * 12 + Number(month.slice(5, 7)) - 1

function fromIndex(index: number): Month {
  return `${String(Math.floor(index / 12)).padStart(4, '0')}-${String((index % 12) + 1).padStart(2, '0')}`
}

/** The month `count` months after `month`; negative counts go back. */
export const addMonths = (month: Month, count: number): Month => fromIndex(indexOf(month) + count)

/** How many months lie from `a` to `b`: 0 for the same month, negative when `b` is earlier. */
export const monthsBetween = (a: Month, b: Month): number => indexOf(b) - indexOf(a)

/** Every month from `first` to `last`, both ends in; none when `last` is earlier. */
export function* monthsFromTo(first: Month, last: Month): Generator<Month> {
  for (let index = indexOf(first); index <= indexOf(last); index++) yield fromIndex(index)
}

/** The month that a time, ms since 1970, lies in. */
export const monthOfMs = (ms: number): Month => new Date(ms).toISOString().slice(0, 7)

/** The month that a time, microseconds since 1970, lies in. */
export const monthOfUs = (us: bigint): Month => monthOfMs(Number(us / US_PER_MS))

/** A time, microseconds since 1970, to the millisecond below. */
export const dateOfUs = (us: bigint): Date => new Date(Number(us / US_PER_MS))

/** The same as ISO 8601, `2024-01-31T00:00:00.000Z`. */
export const isoOfUs = (us: bigint): string => dateOfUs(us).toISOString()

/** A UTC day, `2024-01-31`. */
export type Day = string

/** The day that a time, microseconds since 1970, lies in. */
export const dayOfUs = (us: bigint): Day => isoOfUs(us).slice(0, 10)

/** First instant of the day, microseconds since 1970. */
export const dayStartUs = (day: Day): bigint => BigInt(Date.parse(`${day}T00:00:00Z`)) * US_PER_MS

/** First instant of the month, microseconds since 1970. */
export const monthStartUs = (month: Month): bigint => BigInt(Date.parse(`${month}-01T00:00:00Z`)) * US_PER_MS

/** The month as a half-open range `[first instant, first instant of the next month)`. */
export const monthRange = (month: Month): TimeRange => ({
  fromUs: monthStartUs(month),
  toUs: monthStartUs(addMonths(month, 1)),
})
