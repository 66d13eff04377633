import { clip, DATA_TYPES, datasetOf, MARKETS, parseMarket, type DataType } from '../domain/dataset.js'
import { asPipelineError, PipelineError } from '../domain/errors.js'
import { INTERVALS, parseInterval, type Interval } from '../domain/interval.js'
import { nearestTo } from '../domain/nearest.js'
import type { WantedCandles } from '../domain/ports/candle-source.js'
import { monthSpanOf, parseRange } from '../domain/range.js'
import { isSelected, needsListing, parseSelection, selectedNames } from '../domain/selection.js'
import { JOB_STAGES, type JobStage } from '../domain/states.js'
import type { BackfillRequest, SymbolChoice } from '../workers/wanted.js'
import { listFlag, textFlag, type FlagSpec, type FlagValues } from './command.js'

/** The flags that say which partitions are meant. */
export const REQUEST_FLAGS: readonly FlagSpec[] = [
  { flag: '--market <market>', help: MARKETS.join(', '), fallback: 'spot' },
  { flag: '--type <type>', help: DATA_TYPES.join(', '), fallback: 'klines' },
  {
    flag: '--symbols <list>',
    help: "names, globs, exclusions, all, or - for stdin: BTCUSDT,'*USDT','!*DOWNUSDT'",
    list: true,
  },
  { flag: '--intervals <list>', help: 'like 1m,1h, or all', list: true },
  { flag: '--from <time>', help: 'first month, or a UTC instant (default: the first there is)' },
  { flag: '--to <time>', help: 'last month, still in, or a UTC instant, left out (default: the last whole month)' },
]

/**
 * What `backfill` is asked for. `stdin` is read for `--symbols -` only.
 * @throws {BAD_MARKET, BAD_SYMBOL, BAD_INTERVAL, BAD_RANGE, BAD_USAGE} naming the flag
 */
export async function requestOf(
  flags: FlagValues,
  now: number,
  stdin: () => Promise<string>,
): Promise<BackfillRequest> {
  const { range, ...series } = await wantedOf(flags, stdin)
  const { first, last } = monthSpanOf(range, now)
  return { ...series, firstMonth: first, lastMonth: last }
}

/** Which candles are asked for: series, and the range as it was given. Same errors. */
export async function wantedOf(flags: FlagValues, stdin: () => Promise<string>): Promise<WantedCandles> {
  const market = at('--market', () => parseMarket(nameOf(flags, 'market', MARKETS)))
  const type = at('--type', () => parseType(nameOf(flags, 'type', DATA_TYPES)))
  const symbols = listFlag(flags, 'symbols')
  const given = symbols.includes('-') ? [...symbols.filter((word) => word !== '-'), await stdin()] : symbols
  const range = parseRange({ from: textFlag(flags, 'from'), to: textFlag(flags, 'to') })
  return {
    dataset: datasetOf(market, type),
    symbols: at('--symbols', () => choiceOf(given)),
    intervals: at('--intervals', () => parseIntervals(listFlag(flags, 'intervals'))),
    range,
  }
}

function choiceOf(words: readonly string[]): SymbolChoice {
  const selection = parseSelection(words)
  if (needsListing(selection)) return { matching: (symbol) => isSelected(selection, symbol) }
  const names = selectedNames(selection)
  if (names.length > 0) return { names }
  throw new PipelineError('BAD_USAGE', 'the exclusions leave no symbol', { do: 'exclude less' })
}

function parseIntervals(words: readonly string[]): readonly Interval[] | null {
  if (words.length === 0) {
    throw new PipelineError('BAD_USAGE', 'no interval was named', { do: 'name some: 1m,1h or all' })
  }
  if (words.some((word) => word.toLowerCase() === 'all')) return null
  return [...new Set(words.map((word) => withNearest(word, INTERVALS, parseInterval)))]
}

function parseType(text: string): DataType {
  const type = DATA_TYPES.find((one) => one === text)
  if (type) return type
  throw new PipelineError('BAD_USAGE', `"${clip(text)}" is not a type of data`, {
    do: `use one of ${DATA_TYPES.join(', ')}`,
  })
}

function nameOf(flags: FlagValues, name: string, known: readonly string[]): string {
  return textFlag(flags, name) ?? known[0] ?? ''
}

function withNearest<T>(word: string, known: readonly string[], parse: (word: string) => T): T {
  try {
    return parse(word)
  } catch (thrown) {
    const nearest = nearestTo(word, known)
    if (nearest === null || !(thrown instanceof PipelineError)) throw thrown
    throw new PipelineError(thrown.code, thrown.message, { ...thrown.facts, do: `use ${nearest}` }, thrown)
  }
}

/** Runs a parser; its error names the flag. */
export function at<T>(flag: string, parse: () => T): T {
  try {
    return parse()
  } catch (thrown) {
    const error = asPipelineError(thrown)
    throw new PipelineError(error.code, error.message, { ...error.facts, at: flag }, thrown)
  }
}

/** `--concurrency 4` for every stage, or `convert=2,download=8`. @throws {BAD_USAGE} */
export function concurrencyOf(flags: FlagValues): Readonly<Partial<Record<JobStage, number>>> {
  const found: Partial<Record<JobStage, number>> = {}
  for (const word of listFlag(flags, 'concurrency')) {
    const [, name, count = ''] = /^(?:([a-z]+)=)?(\d{1,3})$/.exec(word) ?? []
    const stages = name === undefined ? JOB_STAGES : JOB_STAGES.filter((stage) => stage === name)
    if (stages.length === 0 || Number(count) < 1 || Number(count) > 256) {
      throw new PipelineError('BAD_USAGE', `"${clip(word)}" is not a concurrency`, {
        at: '--concurrency', do: 'use 4 for all stages, or convert=2,download=8; 1 to 256',
      })
    }
    for (const stage of stages) found[stage] = Number(count)
  }
  return found
}

/** `--stages download,convert`; all of them when left out. @throws {BAD_USAGE} */
export function stagesOf(flags: FlagValues): readonly JobStage[] {
  const words = listFlag(flags, 'stages')
  const unknown = words.find((word) => !JOB_STAGES.some((stage) => stage === word))
  if (unknown !== undefined) {
    const nearest = nearestTo(unknown, JOB_STAGES)
    throw new PipelineError('BAD_USAGE', `"${clip(unknown)}" is not a stage`, {
      at: '--stages', do: nearest === null ? `use one of ${JOB_STAGES.join(', ')}` : `use ${nearest}`,
    })
  }
  return words.length === 0 ? JOB_STAGES : JOB_STAGES.filter((stage) => words.includes(stage))
}
