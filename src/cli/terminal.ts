/** What one output stream and its surroundings say. */
export type StreamFacts = {
  readonly isTTY: boolean
  readonly term?: string | undefined
  readonly noColor?: string | undefined
  readonly forceColor?: string | undefined
}

export type ColourFlag = 'auto' | 'always' | 'never'
export type ProgressFlag = 'auto' | 'tty' | 'plain' | 'none'

/** Whether a stream gets colours: `--color`, then `NO_COLOR`, then `FORCE_COLOR`, then whether it is a terminal. */
export function wantsColour(stream: StreamFacts, flag: ColourFlag): boolean {
  if (flag !== 'auto') return flag === 'always'
  if (stream.noColor) return false
  if (stream.forceColor !== undefined && stream.forceColor !== '') return stream.forceColor !== '0'
  return stream.isTTY && stream.term !== 'dumb'
}

/** How progress is shown on stderr: bars that move, or lines now and then. */
export function progressKind(stderr: StreamFacts, flag: ProgressFlag): 'tty' | 'plain' | 'none' {
  if (flag !== 'auto') return flag
  return stderr.isTTY && stderr.term !== 'dumb' ? 'tty' : 'plain'
}
