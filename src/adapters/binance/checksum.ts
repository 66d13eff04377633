import { PipelineError } from '../../domain/errors.js'
import { checksumKeyOf, fileNameOf, type ArchiveKey } from '../../domain/archive-names.js'
import { clip } from '../../domain/dataset.js'
import type { Http } from './http.js'
import { networkFailure } from './http-failure.js'
import { encodeKey } from './key-path.js'

const MAX_BYTES = 1_024

/** What a CHECKSUM says of `fileName`: its digest, the other file that it names, or nothing that can be read. */
export type ChecksumText =
  | { readonly kind: 'digest'; readonly hex: string }
  | { readonly kind: 'foreign'; readonly name: string }
  | { readonly kind: 'unreadable' }

/** Reads lines of `<64 hex> <name>`, split by any white space; `*name` is the binary mark of sha256sum. */
export function parseChecksum(text: string, fileName: string): ChecksumText {
  const lines = text.split(/\r?\n/).map((line) => /^\uFEFF?\s*([0-9a-fA-F]{64})\s+\*?(\S+)\s*$/.exec(line))
  const named = lines.filter((m) => m !== null)
  const own = named.find((m) => m[2] === fileName)
  if (own) return { kind: 'digest', hex: (own[1] ?? '').toLowerCase() }
  return named[0] ? { kind: 'foreign', name: named[0][2] ?? '' } : { kind: 'unreadable' }
}

/**
 * The digest that the side file of `key` claims, lower-case hex; null where there is none.
 * A side file that cannot be read as one (a page of HTML, half a line) counts as none: it states nothing of the ZIP, so
 * to call it a mismatch would be untrue, and to fail would let a broken side file hold back a good month.
 * @throws {CHECKSUM_FOREIGN} @throws {ARCHIVE_UNREACHABLE, ARCHIVE_BUSY, ARCHIVE_REFUSED, ARCHIVE_REDIRECT}
 */
export async function fetchChecksum(http: Http, key: ArchiveKey, signal: AbortSignal): Promise<string | null> {
  const text = await sideFile(http, key, signal)
  const said = text === null ? null : parseChecksum(text, fileNameOf(key))
  if (said?.kind === 'foreign') {
    throw new PipelineError('CHECKSUM_FOREIGN', 'the CHECKSUM names another file', {
      at: `${http.origin}/${checksumKeyOf(key)}`,
      wantName: fileNameOf(key),
      gotName: clip(said.name),
    })
  }
  return said?.kind === 'digest' ? said.hex : null
}

async function sideFile(http: Http, key: ArchiveKey, signal: AbortSignal): Promise<string | null> {
  const answer = await http.get({ path: encodeKey(checksumKeyOf(key)), accept: [404, 410], signal })
  let text = Buffer.alloc(0)
  try {
    for await (const chunk of answer.body) {
      text = Buffer.concat([text, chunk as Buffer])
      if (text.length > MAX_BYTES) return ''
    }
  } catch (thrown) {
    signal.throwIfAborted()
    throw networkFailure(thrown, http.origin)
  }
  return answer.status === 200 ? text.toString('utf8') : null
}
