import {
  AbortMultipartUploadCommand, DeleteObjectCommand, ListMultipartUploadsCommand, ListPartsCommand, type MultipartUpload,
} from '@aws-sdk/client-s3'
import { PROBES } from './conditions.js'
import { listAll } from './list-objects.js'
import { kindOf } from './s3-failure.js'
import type { S3Link } from './s3-link.js'
import type { S3Place } from './s3-place.js'

/**
 * Aborts the uploads below a prefix that got no part for so many milliseconds, and removes probes as old: their writers
 * died. The store says how old they are, and what time it is: the clock of a host that is wrong would take uploads that
 * are under way for old. Gives how many of both.
 */
export async function sweepUnfinished(link: S3Link, place: S3Place, olderThanMs: number): Promise<number> {
  const before = (): number => link.now() - olderThanMs
  let swept = 0
  for await (const upload of uploadsOf(link, place)) {
    const named = { Bucket: place.bucket, Key: upload.Key ?? '', UploadId: upload.UploadId ?? '' }
    if ((upload.Initiated?.getTime() ?? 0) > before() || (await lastPartMs(link, named)) > before()) continue
    await unlessGone(() => link.client.send(new AbortMultipartUploadCommand(named)))
    swept++
  }
  for await (const { key, lastModified } of listAll(link, place, PROBES)) {
    if (lastModified.getTime() > before()) continue
    await link.client.send(new DeleteObjectCommand({ Bucket: place.bucket, Key: place.base + key }))
    swept++
  }
  return swept
}

/** Uploads below the prefix. MinIO lists none for a prefix that is not a whole key, and all without one. */
async function* uploadsOf(link: S3Link, { bucket, base }: S3Place): AsyncGenerator<MultipartUpload> {
  let found = 0
  for (const Prefix of base === '' ? [''] : [base, '']) {
    for await (const upload of pagesOf(link, { Bucket: bucket, ...(Prefix === '' ? {} : { Prefix }) })) {
      if (!upload.Key?.startsWith(base)) continue
      found++
      yield upload
    }
    if (found > 0) return
  }
}

async function* pagesOf(link: S3Link, asked: { Bucket: string; Prefix?: string }): AsyncGenerator<MultipartUpload> {
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | null = {}
  while (marker) {
    const page: Awaited<ReturnType<typeof ask>> = await ask(marker)
    yield* page?.Uploads ?? []
    const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page ?? {}
    const next = { ...(KeyMarker ? { KeyMarker } : {}), ...(UploadIdMarker ? { UploadIdMarker } : {}) }
    marker = IsTruncated && KeyMarker ? next : null
  }
  async function ask(at: object) {
    try {
      return await link.client.send(new ListMultipartUploadsCommand({ ...asked, ...at }))
    } catch (thrown) {
      // These credentials may be for the prefix only, and rightly so.
      if (asked.Prefix === undefined && kindOf(thrown) === 'denied') return null
      throw thrown
    }
  }
}

type Named = { readonly Bucket: string; readonly Key: string; readonly UploadId: string }

/** When the latest part came; 0 without one. */
async function lastPartMs(link: S3Link, named: Named): Promise<number> {
  let latest = 0
  let marker: string | undefined
  do {
    const at = marker === undefined ? {} : { PartNumberMarker: marker }
    const page = await unlessGone(() => link.client.send(new ListPartsCommand({ ...named, ...at })))
    for (const part of page?.Parts ?? []) latest = Math.max(latest, part.LastModified?.getTime() ?? 0)
    marker = page?.IsTruncated ? page.NextPartNumberMarker : undefined
  } while (marker !== undefined)
  return latest
}

/** An upload that another one finished or aborted meanwhile is no trouble. */
async function unlessGone<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (thrown) {
    if (kindOf(thrown) === 'absent') return null
    throw thrown
  }
}
