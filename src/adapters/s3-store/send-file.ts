import { PutObjectCommand } from '@aws-sdk/client-s3'
import type { Condition } from '../../domain/ports/object-store.js'
import { checkedBytes, checkedFile } from './checked-file.js'
import { withHeader } from './conditions.js'
import { metadataOf } from './object-info.js'
import { headersOf } from './put-condition.js'
import type { S3Link } from './s3-link.js'

export type FileToSend = {
  readonly bucket: string
  /** The whole key, prefix included. */
  readonly key: string
  readonly path: string
  readonly bytes: number
  readonly sha256Hex: string
  /** Names this write in the object's metadata. */
  readonly write: string
  /** Only where the server keeps it. */
  readonly condition: Condition | undefined
}

/** Files up to this size, most months among them, are read whole: as streams they took half as much time again. */
const SMALL_BYTES = 4 * 1_048_576

/** Sends a file in one request, once, which stores all of it or nothing. Gives the ETag, in quotes. */
export async function sendWhole(link: S3Link, o: FileToSend): Promise<string | undefined> {
  const body = o.bytes <= SMALL_BYTES ? await checkedBytes(o) : checkedFile(o)
  const command = new PutObjectCommand({ ...paramsOf(o), Body: body, ContentLength: o.bytes })
  // Signed with the digest of the bytes: a server that compares them refuses others. See digest-comparison.ts.
  if (link.signsPayload) withHeader(command, 'x-amz-content-sha256', o.sha256Hex)
  try {
    return (await link.once(command)).ETag
  } finally {
    if (!(body instanceof Uint8Array)) body.destroy()
  }
}

/** What both ways of sending say of the object. */
export const paramsOf = (o: FileToSend) => ({
  Bucket: o.bucket, Key: o.key, Metadata: metadataOf(o), ...headersOf(o.condition),
})
