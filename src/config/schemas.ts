import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { BUCKET_URL, bucketUrlOf } from '../domain/bucket-url.js'
import { FAILPOINTS, type Failpoint } from '../domain/failpoints.js'
import type { Setting } from './settings.js'

/** A failpoint and what happens there: `kill` as by kill -9, `stop` as by SIGSTOP. With no partition, at the first. */
export type ArmedFailpoint = {
  readonly point: Failpoint
  readonly action: 'kill' | 'stop'
  readonly partition?: string
}

const UNITS = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const

/**
 * The schema of a setting's text. Every message says what is right, and none repeats what was given: a secret may have
 * landed in the wrong variable.
 */
export function schemaOf(setting: Setting): z.ZodType<unknown, string> {
  switch (setting.kind) {
    case 'count': return numeric(/^\d+$/, setting, 'an integer')
    case 'seconds': return numeric(/^\d+(\.\d+)?$/, setting, 'seconds')
    case 'bytes': return bytes(setting.min)
    case 'choice': return z.enum(setting.options, { error: `must be one of ${setting.options.join(', ')}` })
    case 'url': return url(setting.schemes)
    case 'path': return z.string().refine((text) => isAbsolute(text), { error: 'must be an absolute path' })
    case 'failpoints': return failpoints
    case 'text':
    case 'secret': return z.string()
  }
}

function numeric(form: RegExp, { min, max }: { min: number; max: number }, what: string): z.ZodType<number, string> {
  const error = `must be ${what} from ${min} to ${max}`
  return z.string().regex(form, { error, abort: true }).transform(Number).refine((n) => n >= min && n <= max, { error })
}

function bytes(min: number): z.ZodType<number, string> {
  const error = `must be bytes, at least ${min}, as 1073741824 or 512MiB (KiB, MiB, GiB, TiB)`
  return z.string().regex(/^\d+(\.\d+)?\s*(KiB|MiB|GiB|TiB)$|^\d+$/, { error, abort: true }).transform((text) => {
    const [, amount = '', unit = ''] = /^([\d.]+)\s*(\w*)$/.exec(text) ?? []
    return Math.floor(Number(amount) * UNITS[unit as keyof typeof UNITS])
  }).refine((n) => n >= min && Number.isSafeInteger(n), { error })
}

function url(schemes: readonly string[]): z.ZodType<string, string> {
  const error = `must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`
  return z.string().refine((text) => {
    const scheme = /^([a-z0-9]+):\/\//.exec(text)?.[1]
    return scheme !== undefined && schemes.includes(scheme) && URL.canParse(text)
  }, { error, abort: true })
    // Found out here, the error names the setting; the store that is opened later does not know which one it was.
    .refine((text) => !text.startsWith('s3:') || bucketUrlOf(text) !== null, { error: `must be ${BUCKET_URL}` })
    .transform((text) => text.replace(/\/+$/, ''))
}

const isFailpoint = (text: string): text is Failpoint => FAILPOINTS.some((point) => point === text)

const failpoints = z.string().transform((text, context): readonly ArmedFailpoint[] =>
  text.split(',').flatMap((word) => {
    const [where = '', partition] = word.trim().split('@')
    const [point = '', action = '', ...rest] = where.split(':')
    if (isFailpoint(point) && (action === 'kill' || action === 'stop') && rest.length === 0) {
      return [{ point, action, ...(partition === undefined ? {} : { partition }) }]
    }
    context.addIssue({ code: 'custom', message: 'must be a list like convert.staged:kill, with kill or stop' })
    return []
  }))
