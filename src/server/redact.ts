const HIDDEN = '[redacted]'
const SECRET_NAME = /pass(word|wd|phrase)?$|secret|token$|authorization|api[_-]?key|access[_-]?key|credential/i
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // scheme://user:password@host
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, `$1${HIDDEN}@`],
  [/\b(bearer|basic) +[a-z0-9+/_.=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/\b(x-amz-(?:signature|credential|security-token)=)[^\s&"']+/gi, `$1${HIDDEN}`],
  [
    /\b([a-z0-9_-]*(?:password|passwd|secret|token|api[_-]?key)["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;&"']+)/gi,
    `$1${HIDDEN}`,
  ],
  [/\bA(?:KIA|SIA)[A-Z0-9]{16}\b/g, HIDDEN],
]

export type Redact = {
  readonly text: (text: string) => string
  /** A copy of a JSON value with every secret hidden: by the names of fields, by form, and the given ones anywhere. */
  readonly value: (value: unknown) => unknown
}

/** Hides what looks like a secret, and the given secrets wherever they occur; those below 6 characters only by form. */
export function redactor(secrets: readonly string[]): Redact {
  const known = secrets.filter((secret) => secret.length >= 6).sort((a, b) => b.length - a.length)
  const text = (given: string): string => {
    const without = known.reduce((left, secret) => left.replaceAll(secret, HIDDEN), given)
    return PATTERNS.reduce((left, [pattern, instead]) => left.replace(pattern, instead), without)
  }
  const field = (name: string, given: unknown): unknown =>
    SECRET_NAME.test(name) && (typeof given === 'string' || typeof given === 'number') ? HIDDEN : value(given)
  const value = (given: unknown): unknown => {
    if (typeof given === 'string') return text(given)
    if (Array.isArray(given)) return given.map(value)
    if (given === null || typeof given !== 'object') return given
    if (given instanceof Date) return given
    return Object.fromEntries(Object.entries(given).map(([name, one]) => [text(name), field(name, one)]))
  }
  return { text, value }
}
