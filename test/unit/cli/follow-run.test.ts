import { expect } from 'chai'
import { followRun, Pause } from '../../../src/cli/follow-run.js'
import { exitCodeOf, summaryJson, summaryOf } from '../../../src/cli/run-summary.js'
import { PipelineError } from '../../../src/domain/errors.js'
import type { RunProgress } from '../../../src/domain/ports/plan-catalog.js'
import { progressOf, statesOf } from './sample-run.js'

type Look = RunProgress | PipelineError

async function follow(looks: Look[], tookMs = 0) {
  const seen = { progress: [] as RunProgress[], trouble: [] as string[], waits: [] as number[] }
  let nowMs = 0
  const controller = new AbortController()
  const last = await followRun({
    plans: {
      progress: () => {
        nowMs += tookMs
        const next = looks.shift()
        if (looks.length === 0) controller.abort()
        return next instanceof PipelineError ? Promise.reject(next) : Promise.resolve(next ?? progressOf({}))
      },
    },
    runId: '7f3k2', signal: controller.signal, clock: () => nowMs,
    onProgress: (progress) => seen.progress.push(progress),
    onTrouble: (error) => seen.trouble.push(error.message),
    wait: (ms) => {
      seen.waits.push(ms)
      return Promise.resolve()
    },
  })
  return { ...seen, last }
}

describe('following a run', () => {
  it('looks until nothing is unfinished', async () => {
    const { progress, last, waits } = await follow([
      progressOf({ planned: 1 }),
      progressOf({ verifying: 1 }),
      progressOf({ late: 1 }),
      progressOf({}),
    ])
    expect(progress.length).to.equal(3)
    expect(last?.states.late).to.equal(1)
    expect(waits).to.deep.equal([500, 500])
  })

  it('looks less often the longer a look takes', async () => {
    expect((await follow([progressOf({ planned: 1 }), progressOf({ late: 1 })], 60)).waits).to.deep.equal([1_200])
    expect((await follow([progressOf({ planned: 1 }), progressOf({ late: 1 })], 9_000)).waits).to.deep.equal([2_000])
  })

  it('waits for a catalog that does not answer, and says so once each time', async () => {
    const down = new PipelineError('CATALOG_UNREACHABLE', 'down')
    const { trouble, last } = await follow([
      down,
      down,
      progressOf({ planned: 1 }),
      down,
      progressOf({ verified: 1 }),
      progressOf({}),
    ])
    expect(trouble).to.deep.equal(['down', 'down'])
    expect(last?.states.verified).to.equal(1)
  })

  it('ends with an error that waiting does not mend', async () => {
    const thrown = await follow([new PipelineError('RUN_ABSENT', 'gone'), progressOf({})]).then(
      () => null,
      (error: unknown) => error,
    )
    expect(thrown).to.have.property('code', 'RUN_ABSENT')
  })

  it('gives nothing when it was stopped before the end', async () => {
    expect((await follow([progressOf({ planned: 1 })])).last).to.equal(null)
  })

  it('can be woken, and stopped', async () => {
    const pause = new Pause()
    const startedMs = Date.now()
    const woken = pause.wait(60_000, new AbortController().signal)
    pause.wake()
    await woken
    const controller = new AbortController()
    const stopped = pause.wait(60_000, controller.signal)
    controller.abort()
    await stopped
    await pause.wait(60_000, controller.signal)
    expect(Date.now() - startedMs).to.be.below(30_000)
  })
})

describe('the end of a run', () => {
  for (const [states, code] of [
    [{ verified: 1, provisional: 1, absent: 1 }, 0], [{ verified: 1, late: 1 }, 3], [{ late: 1, quarantined: 1 }, 2],
    [{ verified: 9, failed: 1 }, 2], [{ cancelled: 1 }, 2], [{}, 0],
  ] as const) {
    it(`exits with ${code} for ${JSON.stringify(states)}`, () => expect(exitCodeOf(statesOf(states))).to.equal(code))
  }

  it('is one object whose names do not change', () => {
    const progress = progressOf(
      { verified: 354, quarantined: 2 },
      { rows: 7_871_114, bytesIn: 438_304_768, bytesOut: 418_381_824 },
    )
    expect(summaryJson(summaryOf(progress, [], 27.1))).to.deep.equal({
      v: 1, type: 'summary', run: '7f3k2',
      partitions: { verified: 354, provisional: 0, absent: 0, late: 0, quarantined: 2, failed: 0 },
      rows: 7_871_114, bytesIn: 438_304_768, bytesOut: 418_381_824, seconds: 27.1,
    })
  })

  it('counts what was given up or not done, where there is any', () => {
    expect(summaryJson(summaryOf(progressOf({ cancelled: 1, planned: 2, verifying: 1 }), [], 1))['partitions'])
      .to.include({ cancelled: 1, pending: 3 })
  })
})
