import { asPipelineError, type PipelineError } from '../../domain/errors.js'
import type { ExchangeAnswer } from '../../domain/ports/observe.js'
import type { Http } from './http.js'

/** Tells how each request ended; one that the caller gave up, or that was not sent, is left out. */
export function heard(http: Http, weightLimit: number, tell: (answer: ExchangeAnswer) => void): Http {
  const ended = (status: number | null, usedWeight: number | null): void =>
    tell({ type: 'exchange', status, usedWeight, weightLimit })
  return {
    ...http,
    get: async (request) => {
      try {
        const answer = await http.get(request)
        ended(answer.status, weightOf(answer.header('x-mbx-used-weight-1m')))
        return answer
      } catch (thrown) {
        const error = asPipelineError(thrown)
        if (!request.signal.aborted && wasSent(error)) ended(statusOf(error), null)
        throw thrown
      }
    },
  }
}

const weightOf = (text: string | null): number | null => (text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null)

const statusOf = ({ facts: { status } }: PipelineError): number | null => (typeof status === 'number' ? status : null)

/** A pause that was asked for before is refused by the client itself. */
const wasSent = (error: PipelineError): boolean => error.code !== 'ARCHIVE_BUSY' || statusOf(error) !== null
