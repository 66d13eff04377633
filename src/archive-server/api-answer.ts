import type { OutgoingHttpHeaders } from 'node:http'
import { answerBytes } from './answer.js'
import type { Exchange } from './exchange.js'

/** Paths of the exchange's API, whose errors are JSON. */
export const isApi = (path: string): boolean => path.startsWith('/api/')

/** What the API says with a status that no route chose. */
const SAYS: Readonly<Record<number, { code: number; msg: string }>> = {
  418: { code: -1003, msg: 'Way too much request weight used; IP banned until the time given by Retry-After.' },
  429: { code: -1003, msg: 'Too much request weight used; current limit is 6000 request weight per 1 MINUTE.' },
  451: { code: 0, msg: 'Service unavailable from a restricted location.' },
}
const OTHER = { code: -1000, msg: 'An unknown error occurred while processing the request.' }

export const answerApi = (
  x: Exchange, status: number, value: unknown, headers: OutgoingHttpHeaders = {},
): Promise<void> => answerBytes(x, status, 'application/json;charset=UTF-8', JSON.stringify(value), headers)

export const answerApiFailure = (x: Exchange, status: number, headers: OutgoingHttpHeaders = {}): Promise<void> =>
  answerApi(x, status, SAYS[status] ?? OTHER, headers)
