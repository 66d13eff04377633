import type { Condition, ObjectStore } from '../../../src/domain/ports/object-store.js'
import { digestsBelow, uploadsOf } from '../../support/s3-look.js'
import { randomOf } from '../scenario.js'
import type { S3Fault } from './s3-faults.js'
import { bytesFrom, fewAtOnce, openS3Rig, sha256, type S3Rig } from './s3-rig.js'

const OPERATIONS = ['put', 'put new', 'put over', 'copy new', 'copy over', 'move', 'move new', 'move over'] as const
const NEW: Condition = { ifNoneMatch: '*' }

/** The server does each write, and its answer is lost: the next try must not take its own object for another's. */
export const lostAnswers: S3Fault = {
  name: 's3-lost-answers',
  title: 'a write whose answer is lost after it was done happens once, conditional or not',
  full: 100,
  run: async ({ count, seed }) => {
    const rig = await openS3Rig({ store: { partsFromBytes: 6 * 1_048_576 } })
    try {
      const random = randomOf(seed)
      // What the server keeps by itself is asked before anything is lost.
      await rig.store.put({ key: 'asked', ...(await rig.file(Buffer.from('x'))), condition: NEW })
      const lost = new Set<string>()
      const violations: string[] = []
      rig.proxy.choose = ({ method, path, query }) => {
        const writes = method === 'PUT' || method === 'DELETE' || (method === 'POST' && query.has('uploadId'))
        if (!writes || !path.includes('/target/') || query.has('partNumber') || lost.has(path)) return null
        lost.add(path)
        return 'reset-after'
      }
      const wanted: Record<string, string> = { asked: sha256(Buffer.from('x')) }
      await fewAtOnce(Array.from({ length: count }), 8, async (_, n) => {
        const content = bytesFrom(random, n % 10 === 9 ? 7 * 1_048_576 : 20_000)
        const key = `target/${String(n).padStart(4, '0')}`
        const what = OPERATIONS[n % OPERATIONS.length] ?? 'put'
        wanted[key] = sha256(content)
        await operate(rig, what, key, content, lost).then((leaves) => {
          if (leaves) wanted[leaves] = sha256(content)
        }, (thrown: unknown) => violations.push(`${what} ${key}: ${String(thrown)}`))
      })
      rig.proxy.choose = () => null
      const found = await digestsBelow(rig.s3, rig.url)
      for (const key of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
        if (wanted[key] !== found[key]) violations.push(`${key}: wanted ${wanted[key]}, found ${found[key]}`)
      }
      violations.push(...(await uploadsOf(rig.s3, rig.url)).map((key) => `an upload of ${key} was left`))
      const faults = rig.proxy.happened.get('reset-after') ?? 0
      if (faults < count) violations.push(`only ${faults} answers were lost`)
      return { faults, violations }
    } finally {
      await rig.close()
    }
  },
}

/** Does one write to `key`; gives the key of what it leaves beside. */
async function operate(rig: S3Rig, what: (typeof OPERATIONS)[number], key: string, content: Buffer, lost: Set<string>): Promise<string | null> {
  const { store } = rig
  const condition = what.endsWith('new') ? NEW : what.endsWith('over') ? { ifMatch: await somethingAt(rig, key, lost) } : undefined
  const more = condition ? { condition } : {}
  const file = await rig.file(content)
  if (what.startsWith('put')) {
    await store.put({ key, ...file, ...more })
    return null
  }
  const from = `from/${key.slice(7)}`
  await store.put({ key: from, ...file })
  const method: keyof ObjectStore = what.startsWith('copy') ? 'copy' : 'move'
  await store[method]({ from, to: key, ...more })
  return method === 'copy' ? from : null
}

/** An object to be replaced, put there without a loss. */
async function somethingAt(rig: S3Rig, key: string, lost: Set<string>): Promise<string> {
  const path = `/${new URL(rig.url).host}${new URL(rig.url).pathname}/${key}`
  lost.add(path)
  const { etag } = await rig.store.put({ key, ...(await rig.file(Buffer.from(`before ${key}`))) })
  lost.delete(path)
  return etag
}
