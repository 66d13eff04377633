import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Failpoint } from '../../../src/domain/failpoints.js'
import { partitionKeyOf, type Partition } from '../../../src/domain/partition.js'
import { STAGES, type Stage } from '../../../src/domain/states.js'
import { mountSmallDisk } from '../../support/small-disk.js'
import { violations } from '../invariants.js'
import { referenceFor } from '../reference.js'
import { BACKENDS, openRig, until, type Rig } from '../rig.js'
import type { Outcome, RunOptions, Scenario } from '../scenario.js'
import { inNamespace } from '../small-disks.js'
import type { Line, WorkerChild } from '../worker-child.js'

const DISK_KIB = 4_096

/** When which disk is filled: while a worker is stopped at a point, or while it streams a download. */
type Filling = {
  readonly what: string
  readonly stage: Stage
  readonly disk: 'lake' | 'staging'
  readonly stopAt: Failpoint | null
}

const FILLINGS: readonly Filling[] = [
  { what: 'before a download', stage: 'download', disk: 'staging', stopAt: 'download.claimed' },
  { what: 'amid a download', stage: 'download', disk: 'staging', stopAt: null },
  { what: 'before a conversion', stage: 'convert', disk: 'staging', stopAt: 'convert.claimed' },
  { what: 'before an upload', stage: 'upload', disk: 'lake', stopAt: 'upload.claimed' },
  { what: 'before the certificate is written', stage: 'verify', disk: 'staging', stopAt: 'verify.inspected' },
  { what: 'before the certificate is published', stage: 'verify', disk: 'lake', stopAt: 'verify.published' },
]
const MONTHS = FILLINGS.length / 2

export const diskFull: Scenario = {
  name: 'disk-full',
  title: 'a disk that is full in any stage delays the work, which ends when there is space again',
  backends: BACKENDS,
  run: async (o) => {
    if (o.disks) return await fillAll(o, o.disks)
    if (process.getuid?.() !== 0) return await inNamespace('disk-full', DISK_KIB, o)
    const [lake, staging] = [await mountSmallDisk(DISK_KIB), await mountSmallDisk(DISK_KIB)]
    try {
      return await fillAll(o, { lake: lake.path, staging: staging.path })
    } finally {
      await lake.unmount()
      await staging.unmount()
    }
  },
}

async function fillAll(o: RunOptions, disks: NonNullable<RunOptions['disks']>): Promise<Outcome> {
  const reference = await referenceFor(MONTHS)
  const wrong: string[] = []
  const rig = await openRig({ backend: o.backend, months: MONTHS, lakeDir: disks.lake, stagingDir: disks.staging })
  try {
    const done: Partition[] = []
    for (const [i, filling] of FILLINGS.entries()) {
      const partition = rig.sample.partitions[i]
      if (!partition) throw new Error('the sample is too small')
      done.push(partition)
      const found = await fill(rig, filling, partition)
      found.push(...await violations(rig, { reference, partitions: done }))
      wrong.push(...found.map((what) => `full ${filling.what}: ${what}`))
      for (const worker of rig.workers) await worker.drain()
      o.say(`${o.backend}: full ${filling.what}, ${wrong.length} violations`)
    }
    return { faults: FILLINGS.length, violations: wrong }
  } finally {
    await rig.close()
  }
}

/** Fills the disk, waits for the stage to say so, sees that the partition waits, and frees the disk. */
async function fill(rig: Rig, { stage, disk, stopAt }: Filling, partition: Partition): Promise<string[]> {
  const dir = disk === 'lake' ? rig.lakeDir : rig.stagingDir
  const key = partitionKeyOf(partition)
  rig.archive.faults.set(stopAt === null ? [{ match: '.zip', bytesPerSecond: 20_000 }] : [])
  const worker = rig.worker(stopAt === null ? {} : { points: `${stopAt}:stop` })
  await rig.plan({ symbols: [partition.symbol], months: [partition.month, partition.month] })
  await (stopAt === null ? streaming(rig, partition) : stopped(worker))
  const free = fillUp(dir)
  worker.signal('SIGCONT')
  const isFull = (line: Line): boolean =>
    line.name === 'stage.waits' && line.stage === stage && line['code'] === 'DISK_FULL'
  const said = await worker.line(isFull, 20_000)
  const wrong = said ? [] : [`${stage} did not say DISK_FULL with ${free} bytes free:\n${worker.text.slice(-3_000)}`]
  const unfinished = await (await rig.app.keeper()).unfinished()
  if (STAGES.every((one) => unfinished[one] === 0)) wrong.push(`${key} does not wait for space`)
  rmSync(join(dir, 'ballast'))
  return wrong
}

async function streaming(rig: Rig, p: Partition): Promise<void> {
  const isOn = await until(() => rig.archive.requests.some(({ path, bytes }) =>
    path.includes(`${p.symbol}-1h-${p.month}.zip`) && !path.endsWith('.CHECKSUM') && bytes > 0), 30_000, 10)
  if (!isOn) throw new Error('no download began')
}

async function stopped(worker: WorkerChild): Promise<void> {
  const witness = await worker.line(({ event }) => event === 'failpoint', 30_000)
  const isStopped = witness !== null && await until(() => worker.state === 'T', 5_000)
  if (!isStopped) throw new Error(`no worker stopped:\n${worker.text.slice(-2_000)}`)
}

/** Writes until there is no room for a single byte more; gives what the file system then says is free, bytes. */
function fillUp(dir: string): number {
  const file = openSync(join(dir, 'ballast'), 'w')
  try {
    for (const size of [65_536, 4_096, 1]) {
      const piece = Buffer.alloc(size)
      try {
        while (writeSync(file, piece) > 0);
      } catch (thrown) {
        if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')) throw thrown
      }
    }
  } finally {
    closeSync(file)
  }
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize
}
