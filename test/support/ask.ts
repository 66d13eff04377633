import { request, type IncomingHttpHeaders } from 'node:http'

export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }

/** One HTTP request on a connection of its own, with any headers, `Host` too, and the path as it is written. */
export function ask(
  url: string, path: string, o: { method?: string; headers?: Readonly<Record<string, string>>; body?: string } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers } = o
    const asking = request({ host, port, path, method, headers, agent: false }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8')
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })
      })
    })
    asking.on('error', reject)
    asking.end(o.body)
  })
}

export const basic = (user: string, password: string): { authorization: string } =>
  ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` })
