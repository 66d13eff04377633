import { datasetOf, MARKETS, parseMarket } from '../../domain/dataset.js'
import { asPipelineError, PipelineError } from '../../domain/errors.js'
import { candleJson, eventJson } from '../../domain/feed-json.js'
import { parseInterval } from '../../domain/interval.js'
import { parseSeriesKey, type Series } from '../../domain/partition.js'
import { parseSymbol } from '../../domain/symbol.js'
import { EXIT_ERROR, EXIT_INTERRUPTED, textFlag, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { at } from '../request-flags.js'

export const tail: CommandSpec = {
  name: 'tail',
  argument: { form: '<series...>', help: 'BTCUSDT 1m, or spot-klines/BTCUSDT/1m' },
  sentence: 'Shows closed candles of hot rows as they come, and corrections, until it is told to stop.',
  example: 'candlelake tail BTCUSDT 1m --last 20',
  flags: [
    { flag: '--market <market>', help: MARKETS.join(', '), fallback: 'spot' },
    { flag: '--last <number>', help: 'begin with so many of the newest, up to 1000', fallback: '10' },
    { flag: '--after <cursor>', help: 'begin after the cursor that an earlier tail --json gave' },
  ],
  exits: [EXIT_ERROR, EXIT_INTERRUPTED],
  run,
}

async function run(context: Context, flags: FlagValues, text = ''): Promise<number> {
  const { out, interrupts } = context
  const series = seriesNamed(text, textFlag(flags, 'market') ?? 'spot')
  const last = textFlag(flags, 'last') ?? ''
  if (!/^\d{1,4}$/.test(last)) {
    throw new PipelineError('BAD_USAGE', 'a number of rows is wanted', { at: '--last', do: 'use 10' })
  }
  const { tailTable, healedInWords } = await import('../render/tail.js')
  const table = out.json || out.width === null ? null : tailTable(out.paint.out)
  const app = await context.openApp()
  const subscription = await app.subscribe(series, async (event) => {
    if (event.type === 'candles') {
      for (const candle of event.candles) {
        if (table === null) out.resultJson(candleJson(series, candle))
        else out.result(...table(candle))
      }
    } else if (table === null) out.resultJson(eventJson(series, event))
    else out.note(healedInWords(event))
    await out.drained()
  }, {
    last: Number(last), after: textFlag(flags, 'after'), signal: interrupts.signal,
    onState: (state) => (state === 'away' ? out.note('! the connection is lost, and is made again') : undefined),
  })
  const why = await subscription.ended
  if (why !== null) throw asPipelineError(why)
  return interrupts.ending?.code ?? 0
}

/** @throws {BAD_PARTITION, BAD_SYMBOL, BAD_INTERVAL, BAD_MARKET, BAD_USAGE} */
function seriesNamed(text: string, market: string): Series {
  const words = text.split(' ')
  const [first = '', second] = words
  if (words.length === 1 && first.includes('/')) return at('the series', () => parseSeriesKey(first))
  if (words.length !== 2 || second === undefined) {
    const facts = { at: 'the series', do: 'use BTCUSDT 1m' }
    throw new PipelineError('BAD_USAGE', 'a series is a symbol and an interval', facts)
  }
  return {
    dataset: datasetOf(at('--market', () => parseMarket(market)), 'klines'),
    symbol: at('the symbol', () => parseSymbol(first.toUpperCase())),
    interval: at('the interval', () => parseInterval(second)),
  }
}
