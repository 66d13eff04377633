import { digestsBelow } from '../../support/s3-look.js'
import { randomOf } from '../scenario.js'
import type { S3Fault } from './s3-faults.js'
import { bytesFrom, fewAtOnce, openS3Rig, sha256 } from './s3-rig.js'

const SHARE = 0.3
const AT_ONCE = 16

/** So many files are stored while 30 % of all requests are answered with 503 SlowDown. */
export const slowDown: S3Fault = {
  name: 's3-slow-down',
  title: 'all files land, with the right bytes, under 30 % 503',
  full: 200,
  run: async ({ count, seed }) => {
    const rig = await openS3Rig()
    try {
      const random = randomOf(seed)
      rig.proxy.choose = () => (random() < SHARE ? 'slow-down' : null)
      const wanted: Record<string, string> = {}
      const contents = Array.from({ length: count }, (_, n) => bytesFrom(random, n === 0 ? 0 : Math.floor(random() * 200_000)))
      const failed = await fewAtOnce(contents, AT_ONCE, async (content, n) => {
        const key = `put/${String(n).padStart(4, '0')}.parquet`
        wanted[key] = sha256(content)
        const condition = n % 2 === 0 ? { condition: { ifNoneMatch: '*' as const } } : {}
        return await rig.store.put({ key, ...(await rig.file(content)), ...condition }).then(() => null, String)
      })
      rig.proxy.choose = () => null
      const found = await digestsBelow(rig.s3, rig.url)
      const violations = failed.filter((why) => why !== null)
      for (const key of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
        if (wanted[key] !== found[key]) violations.push(`${key}: wanted ${wanted[key]}, found ${found[key]}`)
      }
      const faults = rig.proxy.happened.get('slow-down') ?? 0
      if (faults < count * SHARE) violations.push(`only ${faults} requests were refused`)
      return { faults, violations }
    } finally {
      await rig.close()
    }
  },
}
