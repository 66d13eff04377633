import { digestsBelow, uploadsOf } from '../../support/s3-look.js'
import { startS3Server } from '../../support/s3-server/s3-server.js'
import { randomOf } from '../scenario.js'
import type { S3Fault } from './s3-faults.js'
import { bytesFrom, openS3Rig, sha256 } from './s3-rig.js'

const SECRET = 'only-for-this-run'
const PART = 8 * 1_048_576

/** In the middle of each upload the keys run out: new ones are asked for, and the upload goes on. */
export const expired: S3Fault = {
  name: 's3-expired',
  title: 'an upload in parts outlives its credentials',
  full: 20,
  run: async ({ count, seed }) => {
    // Its own server, which takes the keys of every round: others know one.
    const keys = Object.fromEntries(Array.from({ length: count + 1 }, (_, n) => [`key-${n}`, SECRET]))
    const server = await startS3Server({ keys })
    server.bucket('trial')
    let [given, valid] = [0, 0]
    const credentials = (): Promise<{ accessKeyId: string; secretAccessKey: string }> => {
      given = valid
      return Promise.resolve({ accessKeyId: `key-${given}`, secretAccessKey: SECRET })
    }
    const s3 = {
      endpoint: server.endpoint, region: 'us-east-1', bucket: 'trial', server, accessKeyId: `key-${count}`, secretAccessKey: SECRET,
    }
    const rig = await openS3Rig({ s3, connection: { credentials }, store: { partsFromBytes: PART } })
    try {
      const random = randomOf(seed)
      const violations: string[] = []
      let expireAt = ''
      rig.proxy.choose = ({ query, headers }) => {
        // The third part is the first request that finds the old keys invalid; whatever is under way meets the same.
        if (query.get('partNumber') === '3' && expireAt !== query.get('uploadId') && valid === given) {
          expireAt = query.get('uploadId') ?? ''
          valid++
        }
        return headers.authorization?.includes(`Credential=key-${valid}/`) ? null : 'expired'
      }
      const wanted: Record<string, string> = {}
      for (let n = 0; n < count; n++) {
        const content = bytesFrom(random, 4 * PART + 1_000)
        wanted[`upload/${n}`] = sha256(content)
        await rig.store.put({ key: `upload/${n}`, ...(await rig.file(content)) })
          .catch((thrown: unknown) => violations.push(`upload ${n}: ${String(thrown)}`))
      }
      const found = await digestsBelow(s3, rig.url)
      if (JSON.stringify(found) !== JSON.stringify(Object.fromEntries(Object.entries(wanted).sort()))) {
        violations.push(`wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`)
      }
      violations.push(...(await uploadsOf(s3, rig.url)).map((key) => `an upload of ${key} was left`))
      if (valid !== count) violations.push(`the keys ran out ${valid} times, not ${count}`)
      const faults = rig.proxy.happened.get('expired') ?? 0
      if (faults < count) violations.push(`only ${faults} requests were refused`)
      return { faults, violations }
    } finally {
      await rig.close()
      await server.close()
    }
  },
}
