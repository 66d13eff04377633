import { clip } from './dataset.js'
import { PipelineError } from './errors.js'
import { addMonths, monthOfMs, monthOfUs, monthStartUs, parseMonth, type Month } from './month.js'

/** Half-open UTC range `[fromUs, toUs)`, microseconds since 1970; null leaves that end open. */
export type OpenRange = { readonly fromUs: bigint | null; readonly toUs: bigint | null }

/** Whole months, both ends in; a null `first` means from the first one there is. */
export type MonthSpan = { readonly first: Month | null; readonly last: Month }

const INSTANT = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?Z?$/

/**
 * Reads `--from` and `--to`. A month is whole, both ends in; an instant is UTC and the end is left out, so that
 * `--to 2024-01` is `--to 2024-02-01`.
 * @throws {BAD_RANGE} for text that is neither, and for a range that holds nothing
 */
export function parseRange(o: { readonly from?: string | undefined; readonly to?: string | undefined }): OpenRange {
  const fromUs = o.from === undefined ? null : startOf(o.from, '--from')
  const toUs = o.to === undefined ? null : endOf(o.to)
  if (fromUs !== null && toUs !== null && fromUs >= toUs) {
    throw new PipelineError('BAD_RANGE', `nothing lies from ${clip(o.from ?? '')} to ${clip(o.to ?? '')}`, {
      at: '--from, --to', do: 'put the earlier end into --from',
    })
  }
  return { fromUs, toUs }
}

/**
 * The months that a range touches and that are over at `now`, ms since 1970: the archive has whole months only.
 * @throws {BAD_RANGE} when none is over yet
 */
export function monthSpanOf(range: OpenRange, now: number): MonthSpan {
  const newest = addMonths(monthOfMs(now), -1)
  const first = range.fromUs === null ? null : monthOfUs(range.fromUs)
  const asked = range.toUs === null ? newest : monthOfUs(range.toUs - 1n)
  const last = asked < newest ? asked : newest
  if (first === null || first <= last) return { first, last }
  throw new PipelineError('BAD_RANGE', `${first} is not over yet`, { at: '--from', do: `use ${newest} or earlier` })
}

function startOf(text: string, flag: string): bigint {
  return isMonth(text) ? monthStartUs(readMonth(text, flag)) : instantUs(text, flag)
}

function endOf(text: string): bigint {
  return isMonth(text) ? monthStartUs(addMonths(readMonth(text, '--to'), 1)) : instantUs(text, '--to')
}

const isMonth = (text: string): boolean => /^\d{4}-\d{2}$/.test(text)

function readMonth(text: string, flag: string): Month {
  try {
    return parseMonth(text)
  } catch (thrown) {
    throw notATime(text, flag, thrown)
  }
}

/** A UTC instant in microseconds since 1970. @throws {BAD_RANGE} */
export function instantUs(text: string, flag: string): bigint {
  const [, day, minute = '00:00', second = '00', fraction = ''] = INSTANT.exec(text) ?? []
  if (day === undefined) throw notATime(text, flag)
  const iso = `${day}T${minute}:${second}`
  const ms = Date.parse(`${iso}Z`)
  // Date.parse takes 2024-02-30 for the first of March.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== iso) throw notATime(text, flag)
  return BigInt(ms) * 1_000n + BigInt(fraction.padEnd(6, '0'))
}

function notATime(text: string, flag: string, cause?: unknown): PipelineError {
  const facts = { at: flag, do: 'use a month like 2024-01 or a UTC instant like 2024-01-15T00:00:00Z' }
  return new PipelineError('BAD_RANGE', `"${clip(text)}" is neither a month nor a UTC instant`, facts, cause)
}
