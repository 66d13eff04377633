import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { openEngine, type EnginePool } from '../src/adapters/engine/engine-pool.js'
import { parseArchiveKey } from '../src/domain/archive-names.js'
import type { ConvertRequest, ParquetOptions } from '../src/domain/ports/engine.js'
import { revisionOf } from '../src/domain/source.js'
import type { BenchContext } from './bench.js'

const SETTINGS: Readonly<Record<string, Partial<ParquetOptions>>> = {
  'double-zstd-v2': {},
  'decimal-zstd-v2': { numericType: 'decimal' },
  'double-zstd-v1': { dataPages: 'v1' },
  'double-snappy-v2': { codec: 'snappy' },
  'double-gzip-v2': { codec: 'gzip' },
}

type RealFile = { readonly request: Omit<ConvertRequest, 'parquet' | 'revision'>; readonly zipBytes: number; readonly csvBytes: number }

/** How large real archive files become as Parquet, against their CSV and their ZIP: above 1, the Parquet is smaller. */
export async function compressionOfRealFiles(b: BenchContext, defaults: ParquetOptions): Promise<void> {
  const root = process.env['REAL_ARCHIVE_DIR']
  if (root === undefined) {
    b.say('real files: not measured, REAL_ARCHIVE_DIR is not set')
    return
  }
  const engine = openEngine({ slots: 2, memoryBytes: 512 * 1024 ** 2, tempBytes: 1024 ** 3 })
  b.atEnd(() => engine.close())
  for (const [series, files] of bySeries(await monthlyKlines(root, b.dir))) {
    const total = (of: 'zipBytes' | 'csvBytes'): number => files.reduce((sum, file) => sum + file[of], 0)
    b.say(`real files: ${files.length} months of ${series}, ${total('csvBytes')} bytes of CSV, ${total('zipBytes')} of ZIP`)
    for (const [name, changed] of Object.entries(SETTINGS)) {
      const bytes = await convertedBytes(engine, files, { ...defaults, ...changed })
      b.figure(`real.${series}.${name}.csv-over-parquet`, total('csvBytes') / bytes, 'x')
      b.figure(`real.${series}.${name}.zip-over-parquet`, total('zipBytes') / bytes, 'x')
    }
  }
}

function bySeries(files: readonly RealFile[]): ReadonlyMap<string, readonly RealFile[]> {
  const found = new Map<string, RealFile[]>()
  for (const file of files) {
    const { dataset, interval } = file.request.partition
    const name = `${dataset}-${interval}`
    found.set(name, [...(found.get(name) ?? []), file])
  }
  return found
}

async function convertedBytes(engine: EnginePool, files: readonly RealFile[], parquet: ParquetOptions): Promise<number> {
  const sizes = await Promise.all(files.map(async ({ request }) => {
    const revision = revisionOf(request.sources.map(({ source }) => source), parquet.numericType)
    return (await engine.convert({ ...request, revision, parquet }, new AbortController().signal)).bytes
  }))
  return sizes.reduce((sum, bytes) => sum + bytes, 0)
}

async function monthlyKlines(root: string, dir: string): Promise<RealFile[]> {
  const names = await readdir(join(root, 'data'), { recursive: true })
  const keys = names.map((name) => `data/${name}`).filter((name) => name.endsWith('.zip')).sort()
  const found = await Promise.all(keys.map((key) => realFile(root, key, dir)))
  return found.filter((file) => file !== null)
}

async function realFile(root: string, key: string, dir: string): Promise<RealFile | null> {
  const named = parseArchiveKey(key)
  if (named?.period !== 'monthly') return null
  const path = join(root, key)
  const zip = await readFile(path)
  const sha256Hex = createHash('sha256').update(zip).digest('hex')
  const range = { fromUs: 0n, toUs: 0n }
  const source = { key, etag: null, lastModified: null, bytes: zip.length, sha256Hex, checksum: 'ok', checksumHex: sha256Hex, range } as const
  const partition = { ...named.series, month: named.month }
  const outPath = join(dir, `${basename(key)}.parquet`)
  const request = { partition, sources: [{ path, source }], outPath, scratch: dir }
  return { request, zipBytes: zip.length, csvBytes: inflatedSize(zip) }
}

/** By the directory's last entry: the archive's ZIPs have one member, or two that are the same. */
function inflatedSize(zip: Buffer): number {
  return zip.readUInt32LE(zip.lastIndexOf(Buffer.from('PK\x01\x02')) + 24)
}
