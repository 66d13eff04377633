/** An answer that refuses a request, in the words of S3. */
export class S3Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message = code) {
    super(message)
    this.status = status
    this.code = code
  }
}

export const noSuchKey = (): S3Refusal => new S3Refusal(404, 'NoSuchKey')
export const preconditionFailed = (): S3Refusal => new S3Refusal(412, 'PreconditionFailed')

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

export const xmlText = (text: string): string => text.replace(/[&<>"]/g, (c) => ENTITIES[c] ?? c)

/** `<name>text</name>` for every field, arrays as repeated elements, records as nested ones. */
export function xml(name: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((one) => xml(name, one)).join('')
  const inner = typeof value === 'object' && value !== null
    ? Object.entries(value).map(([key, one]) => xml(key, one)).join('')
    : xmlText(String(value))
  return `<${name}>${inner}</${name}>`
}
