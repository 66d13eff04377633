import type { Finding, FindingCode } from '../domain/findings.js'
import { PipelineError } from '../domain/errors.js'

const EXAMPLE_MAX = 200

/** Text of a source for a message: control characters escaped, at most 200 characters. */
export function shown(text: string): string {
  const escaped = JSON.stringify(text)
    .slice(1, -1)
    .replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return escaped.length <= EXAMPLE_MAX ? escaped : `${escaped.slice(0, EXAMPLE_MAX - 3)}...`
}

/** What was found while a partition was read: a count and the first example of each kind. */
export class FindingsLog {
  readonly #found = new Map<FindingCode, { count: number; example: string | null }>()

  add(code: FindingCode, example: () => string, count = 1): void {
    const found = this.#found.get(code)
    if (found) found.count += count
    else if (count > 0) this.#found.set(code, { count, example: shown(example()) })
  }

  get findings(): Finding[] {
    return [...this.#found].map(([code, { count, example }]) => ({ code, count, example }))
  }
}

/** The error of a partition that the verdict table quarantines: the first row that cannot be true. */
export function corrupt(
  finding: FindingCode,
  example: string,
  where: { source: string; row: number | null },
): PipelineError {
  const facts = { finding, example: shown(example), source: where.source, row: where.row, at: where.source }
  return new PipelineError('CORRUPT', `${where.source}: ${facts.example}`, facts)
}
