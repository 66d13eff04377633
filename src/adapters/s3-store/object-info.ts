import type { ObjectKey } from '../../domain/names.js'
import type { ObjectInfo } from '../../domain/ports/object-store.js'

/** What the store keeps of an object beside its bytes. `sha256` and `write` are ours, null on objects of others. */
export type Stored = {
  readonly bytes: number
  readonly etag: string
  readonly lastModified: Date
  readonly sha256Hex: string | null
  /** Names the one write that made the object; its copies carry the same. */
  readonly write: string | null
  /** Everything that goes with the object by name, ours included. */
  readonly metadata: Record<string, string>
}

type Answer = {
  readonly ContentLength?: number | undefined
  readonly ETag?: string | undefined
  readonly LastModified?: Date | undefined
  readonly Metadata?: Record<string, string> | undefined
}

export const storedOf = (o: Answer): Stored => ({
  bytes: o.ContentLength ?? 0,
  etag: plain(o.ETag),
  lastModified: wholeSeconds(o.LastModified),
  sha256Hex: o.Metadata?.['sha256'] ?? null,
  write: o.Metadata?.['write'] ?? null,
  metadata: o.Metadata ?? {},
})

export const infoOf = (key: ObjectKey, { bytes, etag, lastModified }: Stored): ObjectInfo => ({ key, bytes, etag, lastModified })

export const metadataOf = (o: { sha256Hex: string; write: string }): Record<string, string> => ({
  sha256: o.sha256Hex,
  write: o.write,
})

/** Whether one is a copy of the other, or what the same write made. */
export const isSame = (a: Stored, b: Stored): boolean =>
  a.bytes === b.bytes && a.sha256Hex === b.sha256Hex && (a.write === null ? a.etag === b.etag : a.write === b.write)

/** An ETag without its quotes, which the SDK leaves on. */
export const plain = (etag: string | undefined): string => (etag ?? '').replace(/^"(.*)"$/, '$1')

/** An ETag as headers want it. */
export const quoted = (etag: string): string => (etag.startsWith('W/') || etag === '*' ? etag : `"${etag}"`)

/** HEAD gives seconds, listings of some stores milliseconds: the same object has one time. */
export const wholeSeconds = (at: Date | undefined): Date => new Date(Math.floor((at?.getTime() ?? 0) / 1_000) * 1_000)
