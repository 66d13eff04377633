import {
  AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import type { Condition } from '../../domain/ports/object-store.js'
import { quoted } from './object-info.js'
import { headersOf } from './put-condition.js'
import { kindOf } from './s3-failure.js'
import type { S3Link } from './s3-link.js'

export type PartsCopy = {
  readonly bucket: string
  readonly to: string
  /** `bucket/key`, encoded. */
  readonly source: string
  readonly etag: string
  readonly bytes: number
  readonly metadata: Record<string, string>
  readonly condition: Condition | undefined
  /** The ETag where the copy is there. */
  readonly doneAlready: () => Promise<string | null>
}

const PART_BYTES = 1_073_741_824

/**
 * A server-side copy as an upload whose parts the server reads by itself. Finishing an upload takes a condition on servers
 * whose copies take none (MinIO), and there is no limit to its length. Gives the ETag.
 */
export async function copyInParts(link: S3Link, o: PartsCopy): Promise<string | undefined> {
  const place = { Bucket: o.bucket, Key: o.to }
  const { UploadId } = await link.client.send(new CreateMultipartUploadCommand({ ...place, Metadata: o.metadata }))
  try {
    const Parts: { PartNumber: number; ETag: string | undefined }[] = []
    for (let from = 0; from < o.bytes; from += PART_BYTES) {
      const PartNumber = Parts.length + 1
      const range = { CopySourceRange: `bytes=${from}-${Math.min(from + PART_BYTES, o.bytes) - 1}` }
      const { CopyPartResult } = await link.client.send(new UploadPartCopyCommand({
        ...place, UploadId, PartNumber, CopySource: o.source, CopySourceIfMatch: quoted(o.etag),
        // AWS takes ranges only of sources above 5 MiB.
        ...(o.bytes > PART_BYTES ? range : {}),
      }))
      Parts.push({ PartNumber, ETag: CopyPartResult?.ETag })
    }
    const finish = { ...place, UploadId, MultipartUpload: { Parts }, ...headersOf(o.condition) }
    return await link.trying(async (attempt) => {
      try {
        return (await link.once(new CompleteMultipartUploadCommand(finish))).ETag
      } catch (thrown) {
        // The answer of an earlier try was lost: its copy stands in the way, or its upload is over.
        const done = attempt > 1 && ['precondition', 'absent'].includes(kindOf(thrown)) ? await o.doneAlready() : null
        if (done !== null) return done
        throw thrown
      }
    })
  } catch (thrown) {
    // What stays behind is for the next sweep; the failure to tell is the first one.
    await link.client.send(new AbortMultipartUploadCommand({ ...place, UploadId })).catch(() => undefined)
    throw thrown
  }
}
