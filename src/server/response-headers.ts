import type { MiddlewareHandler } from 'hono'

const PAGE_POLICY = [
  "default-src 'none'", "style-src 'self'", "img-src 'self'", "base-uri 'none'", "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Bull Board's page styles itself in place and has a `<base>`; whatever it loads comes from here. */
const BOARD_POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
  "font-src 'self'", "connect-src 'self'", "base-uri 'self'", "form-action 'none'", "frame-ancestors 'none'",
].join('; ')

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

export const isBoard = (path: string): boolean => path === '/board' || path.startsWith('/board/')

/** Headers that keep pages, other origins and caches away from what is shown. */
export const responseHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  const { path } = c.req
  for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value)
  c.res.headers.set('content-security-policy', isBoard(path) ? BOARD_POLICY : PAGE_POLICY)
  // The board's files carry a hash of their content in their names.
  const hashed = path.startsWith('/board/static/') && c.res.status === 200
  c.res.headers.set('cache-control', hashed ? 'private, max-age=86400' : 'no-store')
}
