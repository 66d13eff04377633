import { clip } from '../../domain/dataset.js'
import { asPipelineError, PipelineError } from '../../domain/errors.js'

/** Its firewall does not say for how long; sooner only makes it longer. */
const FIREWALL_MS = 5 * 60_000

/** What an answer without success stands for; `at` is a URL without credentials. */
export function exchangeFailure(
  { status, text, at, waitMs }: { status: number; text: string; at: string; waitMs: number | null },
): PipelineError {
  const facts = { at, status, ...(waitMs === null ? {} : { retryAfterMs: waitMs }) }
  switch (status) {
    case 429:
      return new PipelineError('EXCHANGE_BUSY', 'the exchange asks to slow down (429)', { ...facts, do: 'wait' })
    case 403:
      return new PipelineError('EXCHANGE_BUSY', "the exchange's firewall refuses this address (403)", {
        ...facts, retryAfterMs: waitMs ?? FIREWALL_MS, do: 'wait; look who else asks from this address, and check EXCHANGE_URL',
      })
    case 418:
      return new PipelineError('EXCHANGE_BANNED', 'the exchange has banned this address for a while (418)', {
        ...facts, do: 'ask nothing before that time is over; look who else asks from this address',
      })
    case 451:
      return new PipelineError('EXCHANGE_RESTRICTED', 'the exchange does not serve this region (451)', {
        ...facts, do: 'point EXCHANGE_URL at a server it serves, or do without: the archive serves all regions',
      })
    case 400:
    case 404:
      return new PipelineError('EXCHANGE_REFUSED', `the exchange refused the request: ${saysOf(text) ?? status}`, {
        ...facts, do: 'check the symbol and the interval, and EXCHANGE_URL',
      })
    default:
      return new PipelineError('EXCHANGE_UNREACHABLE', `the exchange failed with status ${status}`, facts)
  }
}

/** The exchange's own sentence: `{"code":-1121,"msg":"Invalid symbol."}`. */
function saysOf(text: string): string | null {
  const message = /"msg":\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1]
  return message === undefined ? null : clip(message)
}

/** An answer that cannot be understood. */
export const unreadable = (at: string, what: string, cause?: unknown): PipelineError =>
  new PipelineError('EXCHANGE_UNREACHABLE', `the exchange answered with ${what}`, {
    at, do: 'check EXCHANGE_URL: is it the exchange, or a page in between?',
  }, cause)

/** A failure of the network, which HTTP clients here tell of as the archive's, as the exchange's. */
export function unreachable(thrown: unknown): PipelineError {
  const error = asPipelineError(thrown)
  if (error.code.startsWith('EXCHANGE_')) return error
  const code = error.code === 'ARCHIVE_BUSY' ? 'EXCHANGE_BUSY' : 'EXCHANGE_UNREACHABLE'
  const message = error.code === 'UNEXPECTED' ? 'the answer of the exchange broke off' : error.message
  return new PipelineError(code, message.replace('the archive', 'the exchange'), error.facts, thrown)
}
