import { readFile, rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { PipelineError } from '../../../src/domain/errors.js'
import { randomOf } from '../scenario.js'
import type { S3Fault } from './s3-faults.js'
import { bytesFrom, fewAtOnce, openS3Rig, type S3Rig } from './s3-rig.js'

const KINDS = ['truncate', 'shorten', 'flip'] as const
const WAYS = ['materialise', 'get', 'range'] as const
const CODED = new Set(['OBJECT_CORRUPT', 'STORE_UNREACHABLE'])

/** The first answer to each reader is cut short, declared short, or changed: nobody ever gets other bytes as the object's. */
export const spoiltAnswers: S3Fault = {
  name: 's3-spoilt-answers',
  title: 'a body that is cut short or changed is fetched again or refused, never taken for the object',
  full: 100,
  run: async ({ count, seed }) => {
    const rig = await openS3Rig()
    try {
      const random = randomOf(seed)
      const spoilt = new Set<string>()
      rig.proxy.choose = ({ method, path }) => {
        if (method !== 'GET' || spoilt.has(path)) return null
        spoilt.add(path)
        // Nothing tells that a part of an object was changed on its way; TLS does that.
        return KINDS[Number(path.slice(-4)) % (path.includes('/range') ? 2 : 3)] ?? null
      }
      const outcomes = await fewAtOnce(Array.from({ length: count }), 8, async (_, n) => {
        const way = WAYS[Math.floor(n / 3) % 3] ?? 'get'
        const key = `${way}/${String(n).padStart(4, '0')}`
        const content = bytesFrom(random, 10_000 + Math.floor(random() * 300_000))
        await rig.store.put({ key, ...(await rig.file(content)) })
        return await outcomeOf(rig, way, key, content)
      })
      const violations = outcomes.filter((outcome) => outcome !== 'right' && !CODED.has(outcome))
      const faults = KINDS.reduce((sum, kind) => sum + (rig.proxy.happened.get(kind) ?? 0), 0)
      if (faults < count) violations.push(`only ${faults} answers were spoilt`)
      for (const kind of KINDS) if (!rig.proxy.happened.get(kind)) violations.push(`no answer was spoilt by ${kind}`)
      // What is cut short is taken up again; of what was changed a file is fetched again.
      if (!outcomes.includes('right')) violations.push('nobody got the right bytes')
      return { faults, violations }
    } finally {
      await rig.close()
    }
  },
}

async function outcomeOf(rig: S3Rig, way: (typeof WAYS)[number], key: string, content: Buffer): Promise<string> {
  const [start, end] = [1_000, 9_000]
  try {
    const wanted = way === 'range' ? content.subarray(start, end) : content
    const got = await bytesBy(rig, way, key, { start, end })
    return wanted.equals(got) ? 'right' : `${key}: ${got.length} bytes that are not the object's were given as its own`
  } catch (thrown) {
    return thrown instanceof PipelineError ? thrown.code : `${key}: ${String(thrown)}`
  }
}

async function bytesBy(rig: S3Rig, way: (typeof WAYS)[number], key: string, range: { start: number; end: number }): Promise<Buffer> {
  if (way === 'materialise') {
    const path = await rig.store.materialise({ key, scratch: rig.scratch })
    return await readFile(path).finally(() => rm(path))
  }
  const stream: Readable = await rig.store.get(way === 'range' ? { key, range } : { key })
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}
