import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { violations } from '../invariants.js'
import { referenceFor } from '../reference.js'
import { CANARY, countOf, openRig, until, type Rig, type RigOptions } from '../rig.js'
import type { Outcome, RunOptions, Scenario } from '../scenario.js'

const MONTHS = 6

export const redisFlushed: Scenario = {
  name: 'redis-flushed',
  title: 'a Redis that is flushed in mid-run is filled again by reconcile',
  backends: ['redis'],
  run: (o) => midRun(o, {}, async (rig) => {
    const redis = control(rig)
    const before = await redis.dbsize()
    await redis.flushall()
    const calls = /cmdstat_flushall:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1]
    redis.disconnect()
    return before > 0 && Number(calls) === 1 ? [] : [`nothing was flushed: ${before} keys, ${calls} calls`]
  }),
}

export const redisRestarted: Scenario = {
  name: 'redis-restarted',
  title: 'a Redis that is killed and comes back after 2 s over its append-only file loses no work',
  backends: ['redis'],
  run: (o) => midRun(o, { appendOnly: true }, async (rig) => {
    const before = await runId(rig)
    await rig.redis?.kill9()
    await sleep(2_000)
    await rig.redis?.restart()
    const after = await runId(rig)
    return before !== after ? [] : ['Redis is still the same process']
  }),
}

export const redisFull: Scenario = {
  name: 'redis-full',
  title: 'a Redis without memory delays the work until it has some again',
  backends: ['redis'],
  run: (o) => midRun(o, {}, async (rig) => {
    const redis = control(rig)
    await redis.config('SET', 'maxmemory', '100kb')
    const refusals = async (): Promise<number> =>
      Number(/errorstat_OOM:count=(\d+)/.exec(await redis.info('errorstats'))?.[1] ?? 0)
    const isFull = await until(async () => (await refusals()) > 0, 20_000)
    await sleep(3_000)
    await redis.config('SET', 'maxmemory', '0')
    redis.disconnect()
    return isFull ? [] : ['Redis refused nothing']
  }),
}

/** Strikes when some partitions are verified and most are not; `strike` gives what is missing of its witness. */
async function midRun(
  o: RunOptions, options: Omit<RigOptions, 'backend'>, strike: (rig: Rig) => Promise<string[]>,
): Promise<Outcome> {
  const reference = await referenceFor(MONTHS)
  const archiveFaults = [{ latencyMs: 400, match: '/data/' }]
  const env = { DOWNLOAD_CONCURRENCY: '2' }
  const rig = await openRig({ backend: o.backend, months: MONTHS, archiveFaults, ...options, env })
  try {
    const worker = rig.worker()
    await rig.plan()
    const isUnderWay = await until(async () => (await countOf(rig, 'verified')) >= 2, 60_000, 20)
    if (!isUnderWay) throw new Error(`no progress:\n${worker.text}`)
    const left = rig.sample.partitions.length - (await countOf(rig, 'verified'))
    const wrong = left >= 2 ? await strike(rig) : ['the run was over too early']
    wrong.push(...await violations(rig, { reference }))
    if (!worker.alive) wrong.push('the worker did not survive')
    await worker.drain()
    o.say(`${o.backend}: struck with ${left} of ${rig.sample.partitions.length} to do, ${wrong.length} violations`)
    return { faults: 1, violations: wrong }
  } finally {
    await rig.close()
  }
}

function control(rig: Rig): Redis {
  return new Redis(rig.redisUrl ?? '', { maxRetriesPerRequest: 3, connectionName: `control-${CANARY.length}` })
}

async function runId(rig: Rig): Promise<string> {
  const redis = control(rig)
  const id = /run_id:(\w+)/.exec(await redis.info('server'))?.[1] ?? ''
  redis.disconnect()
  return id
}
