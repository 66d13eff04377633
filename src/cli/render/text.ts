import stringWidth from 'string-width'

/** Terminal cells that a text takes: `币安人生USDT` is 12. */
export const cellsOf = (text: string): number => stringWidth(text)

export const padEnd = (text: string, cells: number): string => text + ' '.repeat(Math.max(0, cells - cellsOf(text)))
export const padStart = (text: string, cells: number): string => ' '.repeat(Math.max(0, cells - cellsOf(text))) + text

/** The text in at most `cells`, its middle given up for `…`. */
export function clipMiddle(text: string, cells: number): string {
  if (cellsOf(text) <= cells) return text
  if (cells < 1) return ''
  const letters = [...text]
  const head = takeCells(letters, Math.ceil((cells - 1) / 2))
  const tail = takeCells(letters.toReversed(), cells - 1 - cellsOf(head))
  return `${head}…${[...tail].toReversed().join('')}`
}

/** The text in at most `cells`, its end given up for `…`. */
export function clipEnd(text: string, cells: number): string {
  if (cellsOf(text) <= cells) return text
  return cells < 1 ? '' : `${takeCells([...text], cells - 1)}…`
}

function takeCells(letters: readonly string[], cells: number): string {
  let taken = ''
  for (const letter of letters) {
    if (cellsOf(taken + letter) > cells) break
    taken += letter
  }
  return taken
}
