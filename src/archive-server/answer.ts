import type { OutgoingHttpHeaders } from 'node:http'
import type { Exchange } from './exchange.js'
import { transmit, type Body } from './transmit.js'
import { errorXml } from './xml.js'

/** An answer without its body: `length` is the body's, in bytes. */
export type Head = { readonly status: number; readonly headers?: OutgoingHttpHeaders; readonly length: number }

/** Sends an answer; the body is left out for HEAD, and is where the faults of bodies strike. */
export async function answer(x: Exchange, head: Head, body: Body): Promise<void> {
  x.logged.status = head.status
  x.res.writeHead(head.status, { ...head.headers, 'content-length': head.length })
  if (x.method === 'HEAD' || head.length === 0) x.res.end()
  else await transmit(x, head.length, body)
}

/** Sends an answer that is in memory. */
export async function answerBytes(
  x: Exchange, status: number, contentType: string, content: string | Uint8Array, headers: OutgoingHttpHeaders = {},
): Promise<void> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  await answer(x, { status, headers: { ...headers, 'content-type': contentType }, length: bytes.length }, [bytes])
}

/** Sends the bucket's XML of an error. */
export async function answerError(
  x: Exchange, status: number, error: { code: string; message: string; facts?: Record<string, string> },
  headers: OutgoingHttpHeaders = {},
): Promise<void> {
  await answerBytes(x, status, 'application/xml', errorXml(error.code, error.message, error.facts), headers)
}

/** 404 as the bucket says it. */
export const answerNoSuchKey = (x: Exchange): Promise<void> =>
  answerError(x, 404, { code: 'NoSuchKey', message: 'The specified key does not exist.', facts: { Key: x.key } })

/** An answer that has no body by its nature: 304. */
export function answerBare(x: Exchange, status: number, headers: OutgoingHttpHeaders): void {
  x.logged.status = status
  x.res.writeHead(status, headers).end()
}
