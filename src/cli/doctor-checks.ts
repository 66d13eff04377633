import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { asPipelineError, PipelineError } from '../domain/errors.js'
import { withoutPassword } from '../config/shown-settings.js'
import { incomingKeyOf, stagingFolderOf } from '../domain/names.js'
import { parsePartitionKey } from '../domain/partition.js'
import type { App } from './app.js'
import { hintOf } from './render/error.js'
import { formatBytes, formatSeconds } from './render/format.js'

/** What a check found. `do` is what to do about a failure. */
export type Finding = {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly do: string | null
}

export type Check = { readonly name: string; readonly run: (app: App) => Promise<Omit<Finding, 'name'>> }

/** A certificate, a signature or a log off by so much misleads people; TLS fails at about the same. */
const CLOCK_SECONDS = 60

const ok = (detail: string): Omit<Finding, 'name'> => ({ ok: true, detail, do: null })

/** Every configured service and what it must be able to do, in the order in which they depend on each other. */
export const CHECKS: readonly Check[] = [
  { name: 'catalog', run: async (app) => ok(await app.describeCatalog()) },
  { name: 'queue', run: async (app) => ok(await queue(app)) },
  { name: 'lake', run: async (app) => ok(await lake(app)) },
  { name: 'staging', run: staging },
  { name: 'archive', run: async (app) => ok(await archive(app)) },
  { name: 'listing', run: async (app) => ok(await listing(app)) },
  { name: 'engine', run: async (app) => ok(await app.askEngine()) },
  { name: 'clock', run: clock },
]

/** Runs a check; what it throws is its finding. A service that does not answer in `timeoutMs` fails. */
export async function runCheck(check: Check, app: App, timeoutMs: number): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Omit<Finding, 'name'>>((resolve) => {
    const detail = `no answer in ${formatSeconds(timeoutMs / 1_000)}`
    timer = setTimeout(() => resolve({ ok: false, detail, do: 'look whether it runs and can be reached' }), timeoutMs)
  })
  try {
    return { name: check.name, ...(await Promise.race([check.run(app), late])) }
  } catch (thrown) {
    const error = asPipelineError(thrown)
    const where = error.at === null || error.message.includes(error.at) ? '' : `${error.at} `
    return { name: check.name, ok: false, detail: `${where}${error.message}`, do: hintOf(error) ?? `see ${error.code}` }
  } finally {
    clearTimeout(timer)
  }
}

async function queue(app: App): Promise<string> {
  await (await app.queue()).ping()
  return await app.describeQueue()
}

/** What keeps the catalog from saying whose the store should be is told under `catalog`. @throws {LAKE_MISMATCH} */
async function owned(app: App, what: 'lake' | 'staging'): Promise<void> {
  try {
    await app.askOwner(what)
  } catch (thrown) {
    if (!/^(CATALOG|EMBEDDED|NUMERIC)_/.test(asPipelineError(thrown).code)) throw thrown
  }
}

/**
 * The name of a probe: as an execution of a partition that nobody has would name it, which no reader looks for, and the
 * sweep of a worker removes where we end before we do.
 */
const NOBODY = parsePartitionKey('spot-klines/DOCTOR/1d/2017-01')
const newToken = (): string => randomUUID().replaceAll('-', '')

/** Writes, reads back and removes an object where unfinished uploads lie. @throws {OBJECT_CORRUPT} for other bytes */
async function lake(app: App): Promise<string> {
  await owned(app, 'lake')
  const store = await app.lake()
  const folder = await mkdtemp(join(tmpdir(), 'candlelake-doctor-'))
  try {
    const path = join(folder, 'probe')
    const content = `candlelake doctor ${process.pid}\n`
    await writeFile(path, content)
    const key = incomingKeyOf(NOBODY, 0, newToken())
    await store.put({ key, path, sha256Hex: createHash('sha256').update(content).digest('hex') })
    try {
      if ((await text(await store.get({ key }))) === content) return `${store.url} is writable`
      const facts = { at: store.url, do: 'look for what changes requests or answers on the way' }
      throw new PipelineError('OBJECT_CORRUPT', 'what is read is not what was written', facts)
    } finally {
      await store.delete(key)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Keeps, opens and removes a file as an execution of nobody does, and looks for room on the disk of scratch files. */
async function staging(app: App): Promise<Omit<Finding, 'name'>> {
  await owned(app, 'staging')
  const store = await app.staging()
  const folder = stagingFolderOf(NOBODY, 0, newToken())
  try {
    const path = join(await store.scratch(folder), 'probe.part')
    const content = `candlelake doctor ${process.pid}\n`
    await writeFile(path, content)
    const sha256Hex = createHash('sha256').update(content).digest('hex')
    const kept = await store.keep({ key: `${folder}/probe`, path, sha256Hex })
    await store.open(kept, await store.scratch(folder))
  } finally {
    await store.clear(folder)
  }
  const free = await store.freeBytes()
  const url = withoutPassword(app.config.stagingUrl)
  if (free === null) return ok(`${url} is writable`)
  const needed = app.config.stagingMaxBytes
  const where = url.startsWith('s3:') ? `${url} is writable, ${app.config.candlelakeCache}` : url
  const detail = `${where} has ${formatBytes(free)} free`
  if (free >= needed) return ok(detail)
  const hint = `free ${formatBytes(needed - free)}, or lower STAGING_MAX_BYTES (${formatBytes(needed)})`
  return { ok: false, detail, do: hint }
}

async function archive(app: App): Promise<string> {
  await app.askArchive()
  return withoutPassword(app.config.archiveUrl)
}

async function listing(app: App): Promise<string> {
  const source = await app.listing()
  const url = withoutPassword(app.config.archiveListUrl)
  for await (const _ of source.folders('data/')) return url
  return `${url} lists nothing`
}

async function clock(app: App): Promise<Omit<Finding, 'name'>> {
  const { date } = await app.askArchive()
  if (date === null) return ok('the archive does not say the time')
  const off = Math.abs(Date.now() - date.getTime()) / 1_000
  if (off <= CLOCK_SECONDS) return ok(`within ${formatSeconds(Math.max(1, off))} of the archive`)
  return { ok: false, detail: `${formatSeconds(off)} away from the archive`, do: 'set the clock, or let NTP do it' }
}
