import { clip } from './dataset.js'
import { PipelineError } from './errors.js'
import { parseSymbol } from './symbol.js'

/** Which symbols someone asked for. `names` are exact, `globs` know `*` and `?`; `excluded` wins over both. */
export type SymbolSelection = {
  readonly all: boolean
  readonly names: readonly string[]
  readonly globs: readonly string[]
  readonly excluded: readonly string[]
}

/**
 * Reads `BTCUSDT`, `*USDT`, `!*DOWNUSDT` and `all`, in any case; each word may be a list with commas. Exclusions alone
 * mean all others.
 * @throws {BAD_SYMBOL} for a word that no symbol could match @throws {BAD_USAGE} for none at all
 */
export function parseSelection(words: readonly string[]): SymbolSelection {
  const wanted = words.flatMap((word) => word.split(/[,\s]+/)).filter((word) => word !== '')
  const excluded = unique(wanted.filter((word) => word.startsWith('!')).map((word) => parseSymbolGlob(word.slice(1))))
  const included = unique(wanted.filter((word) => !word.startsWith('!') && !isAll(word)).map(parseSymbolGlob))
  if (wanted.length === 0) {
    throw new PipelineError('BAD_USAGE', 'no symbol was named', { do: 'name some: BTCUSDT, "*USDT" or all' })
  }
  return {
    all: wanted.some(isAll) || included.length === 0,
    names: included.filter((glob) => !isGlob(glob)),
    globs: included.filter(isGlob),
    excluded,
  }
}

/** True when only a listing of the archive can tell which symbols are meant. */
export const needsListing = (selection: SymbolSelection): boolean => selection.all || selection.globs.length > 0

/** Whether a symbol, in upper case, is one of those asked for. */
export function isSelected(selection: SymbolSelection, symbol: string): boolean {
  if (selection.excluded.some((glob) => matchesGlob(glob, symbol))) return false
  if (selection.all || selection.names.includes(symbol)) return true
  return selection.globs.some((glob) => matchesGlob(glob, symbol))
}

/** The exact names asked for that no exclusion takes away again. */
export const selectedNames = (selection: SymbolSelection): readonly string[] =>
  selection.names.filter((name) => isSelected(selection, name))

/**
 * Whether `*` (any letters, none too) and `?` (one letter) cover a whole name. Walks both once and goes back to the
 * last `*` only: a pattern of many stars costs pattern times name, where a regular expression can take for ever.
 */
export function matchesGlob(glob: string, name: string): boolean {
  const pattern = [...glob]
  const letters = [...name]
  let at = 0
  let star = -1
  let resume = 0
  for (let i = 0; i < letters.length;) {
    if (pattern[at] === '*') {
      star = at++
      resume = i
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === letters[i])) {
      at++
      i++
    } else if (star >= 0) {
      at = star + 1
      i = ++resume
    } else return false
  }
  return pattern.slice(at).every((rest) => rest === '*')
}

export const isGlob = (text: string): boolean => /[*?]/.test(text)

/** A symbol or a glob of symbols, in upper case. @throws {BAD_SYMBOL} */
export function parseSymbolGlob(text: string): string {
  if (!isGlob(text)) return parseSymbol(text)
  const letters = text.replaceAll('?', 'A').replaceAll('*', '')
  try {
    if (letters !== '') parseSymbol(letters)
  } catch (thrown) {
    throw new PipelineError(
      'BAD_SYMBOL',
      `"${clip(text)}" matches no symbol`,
      { do: 'use a glob like "*USDT"' },
      thrown,
    )
  }
  return text.toUpperCase()
}

const isAll = (word: string): boolean => word.toLowerCase() === 'all'

const unique = (words: readonly string[]): readonly string[] => [...new Set(words)]
