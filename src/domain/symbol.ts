import { clip } from './dataset.js'
import { PipelineError } from './errors.js'

const MAX_BYTES = 64
const ALLOWED = /^[\p{L}\p{N}_-]+$/u

/**
 * An exchange symbol in upper case, e.g. `BTCUSDT`, `BTCUSDT_240329`, `币安人生USDT`.
 * Letters, digits, `_` and `-`, NFC, at most 64 UTF-8 bytes, and the same after a trip to lower case and back,
 * because the lake's folders are lower case.
 * @throws {BAD_SYMBOL}
 */
export function parseSymbol(text: string): string {
  const symbol = text.toUpperCase()
  const reason = symbol.toLowerCase() === text.toLowerCase() ? whyNot(symbol) : 'a letter changes with its case'
  if (reason === null) return symbol
  throw new PipelineError('BAD_SYMBOL', `"${clip(text)}" is not a symbol: ${reason}`, { do: 'use a name like BTCUSDT' })
}

function whyNot(symbol: string): string | null {
  if (symbol === '') return 'it is empty'
  if (Buffer.byteLength(symbol) > MAX_BYTES) return `it is longer than ${MAX_BYTES} bytes`
  if (!ALLOWED.test(symbol)) return 'only letters, digits, _ and - are allowed'
  if (symbol.normalize('NFC') !== symbol) return 'it is not in Unicode form NFC'
  if (symbol.toLowerCase().toUpperCase() !== symbol) return 'it does not survive lower case'
  if (symbol.toLowerCase().normalize('NFC') !== symbol.toLowerCase()) return 'it does not survive lower case'
  if (mixesLookAlikes(symbol)) return 'it mixes Latin with Cyrillic or Greek letters'
  return null
}

/** Cyrillic and Greek capitals look like Latin ones (`ВТСUSDT`); no exchange mixes these scripts in one symbol. */
function mixesLookAlikes(symbol: string): boolean {
  const scripts = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u]
  return scripts.filter((script) => script.test(symbol)).length > 1 || /[\uFF00-\uFFEF]/u.test(symbol)
}
