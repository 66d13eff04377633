import { CSV_FIELDS } from './candle.js'

/** The header that the archive writes; `count` is our `trades`. */
const USUAL = CSV_FIELDS.map((name) => (name === 'trades' ? 'count' : name))
const KNOWN: readonly string[] = [...USUAL, ...CSV_FIELDS]
const NAME = /^[A-Za-z_][A-Za-z0-9_ .-]*$/
const NUMBER_WORD = /^(nan|inf|infinity)$/i

/**
 * What the first line of a source is. Names that are known but stand in another place mean that the columns have moved:
 * such a line counts as a row, which then fails.
 */
export function classifyFirstLine(line: string): 'usual' | 'unusual' | 'row' {
  const names = line.split(',').map((name) => name.trim())
  if (names.length !== USUAL.length) return 'row'
  if (names.every((name, index) => name === USUAL[index])) return 'usual'
  const allNames = names.every((name) => NAME.test(name) && !NUMBER_WORD.test(name))
  const moved = names.some((name, index) => {
    const known = name.toLowerCase()
    return KNOWN.includes(known) && known !== USUAL[index] && known !== CSV_FIELDS[index]
  })
  return allNames && !moved ? 'unusual' : 'row'
}
