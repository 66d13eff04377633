import { parseArchiveKey, rangeOfFile } from '../../domain/archive-names.js'
import { clip } from '../../domain/dataset.js'
import { PipelineError } from '../../domain/errors.js'
import type { Archive, Fetched } from '../../domain/ports/archive.js'
import type { ChecksumOutcome } from '../../domain/source.js'
import { fetchChecksum } from './checksum.js'
import { bareEtag } from './content-headers.js'
import { breakReasonOf } from './http-failure.js'
import { openHttp, type Http } from './http.js'
import type { HttpOptions } from './http-options.js'
import { encodeKey } from './key-path.js'
import { mend } from './mend.js'
import { ReceivedFile } from './received-file.js'
import { transfer } from './transfer.js'

export type ArchiveOptions = HttpOptions & {
  /** Where objects are served: `https://data.binance.vision`. */
  readonly archiveUrl: string
  /** No ZIP may be larger, bytes. */
  readonly maxBytes: number
}

/** A client of the archive's objects. @throws {BAD_CONFIG} */
export function openArchive(o: ArchiveOptions): Archive & { close(): Promise<void> } {
  const http = openHttp(o.archiveUrl, o)
  return {
    fetch: (request) => fetchSource(http, o.maxBytes, request),
    close: () => http.close(),
  }
}

async function fetchSource(http: Http, maxBytes: number, o: Parameters<Archive['fetch']>[0]): Promise<Fetched> {
  const { key } = o.wanted
  const named = parseArchiveKey(key)
  if (!named) throw new PipelineError('BAD_PARTITION', 'this is not the key of an archive file', { at: clip(key) })
  o.signal.throwIfAborted()
  const file = await ReceivedFile.create(o.path)
  try {
    const { onBytes, signal } = o
    const headers = await transfer({ http, path: encodeKey(key), file, maxBytes, signal, onBytes })
    const sha256Hex = file.digest()
    const checksumHex = await mend({
      work: () => fetchChecksum(http, key, signal),
      waitMs: (failure, count) => (isTorn(failure) && count <= 2 ? 100 * 2 ** count : null),
      signal,
    })
    const source = {
      key,
      etag: bareEtag(headers.etag),
      lastModified: headers.lastModified ?? o.wanted.lastModified,
      bytes: file.bytes,
      sha256Hex,
      checksum: outcomeOf(sha256Hex, checksumHex),
      checksumHex,
      range: rangeOfFile(named),
    }
    return { source, path: o.path }
  } finally {
    await file.close()
  }
}

const isTorn = (failure: unknown): boolean => ['reset', 'ended'].includes(breakReasonOf(failure) ?? '')

function outcomeOf(sha256Hex: string, checksumHex: string | null): ChecksumOutcome {
  if (checksumHex === null) return 'missing'
  return checksumHex === sha256Hex ? 'ok' : 'mismatch'
}
