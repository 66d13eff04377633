import { createHash, randomUUID } from 'node:crypto'
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { PROBES, withHeader } from './conditions.js'
import { kindOf, nameOf } from './s3-failure.js'
import type { S3Link } from './s3-link.js'
import type { S3Place } from './s3-place.js'

const PROBE = 'probe'
/** Of other bytes, as many. */
const OTHER_HEX = createHash('sha256').update('other').digest('hex')

/**
 * Whether the server compares the bytes that it gets with the digest that the request is signed with. Some only check that
 * the signature covers the header, so a probe is sent with the digest of other bytes: only its refusal for that reason
 * shows that they are compared. For a link that has written before: a wrong secret would be refused, too.
 */
export async function comparesDigests(link: S3Link, { bucket, base }: S3Place): Promise<boolean> {
  const place = { Bucket: bucket, Key: `${base}${PROBES}${randomUUID()}` }
  const isRefused = await link.trying(async () => {
    const command = new PutObjectCommand({ ...place, Body: PROBE })
    withHeader(command, 'x-amz-content-sha256', OTHER_HEX)
    try {
      await link.once(command)
      return false
    } catch (thrown) {
      // A server that makes the digest itself finds another signature.
      if (kindOf(thrown) === 'mangled' || nameOf(thrown) === 'SignatureDoesNotMatch') return true
      // What refuses probes altogether has shown nothing.
      if (kindOf(thrown) === 'denied' || kindOf(thrown) === 'refused') return false
      throw thrown
    }
  })
  // What stays behind is removed by the next sweep.
  if (!isRefused) await link.client.send(new DeleteObjectCommand(place)).catch(() => undefined)
  return isRefused
}
