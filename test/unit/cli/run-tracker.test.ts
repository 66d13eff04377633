import { expect } from 'chai'
import { Pace } from '../../../src/cli/pace.js'
import { progressLines } from '../../../src/cli/progress-screen.js'
import { RunTracker } from '../../../src/cli/run-tracker.js'
import type { WorkEvent } from '../../../src/domain/ports/observe.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import type { Stage } from '../../../src/domain/states.js'
import { progressOf } from './sample-run.js'

const partition = parsePartitionKey('spot-klines/BTCUSDT/1h/2024-01')

function job(stage: Stage, over: Partial<WorkEvent & { type: 'job' }> = {}): WorkEvent {
  return {
    type: 'job',
    stage,
    partition,
    outcome: 'ok',
    code: null,
    seconds: 1,
    waitSeconds: 0,
    bytesIn: 0,
    bytesOut: 0,
    rows: 0,
    ...over,
  }
}

const tracker = (states: Parameters<typeof progressOf>[0], downloadBytes: number | null = null): RunTracker =>
  new RunTracker({ progress: progressOf(states), downloadBytes, nowMs: 0 })

describe('the tracker of a run', () => {
  it('counts a partition as past every stage before the one it is in', () => {
    const { stages } = tracker({
      planned: 1,
      downloading: 2,
      converting: 3,
      uploading: 4,
      verifying: 5,
      verified: 6,
      quarantined: 7,
    }).view(0)
    expect(stages.map(({ done }) => done)).to.deep.equal([25, 22, 18, 13])
    expect(stages.map(({ total }) => total)).to.deep.equal([28, 28, 28, 28])
  })

  it('adds up bytes and rows of this process', () => {
    const t = tracker({ planned: 2 }, 1_000)
    t.event({ type: 'bytes', stage: 'download', count: 300 }, 10)
    t.event({ type: 'bytes', stage: 'download', count: 50 }, 20)
    t.event(job('convert', { rows: 744 }), 30)
    t.event(job('convert', { rows: 99, outcome: 'retry' }), 30)
    t.event(job('upload', { bytesOut: 200 }), 40)
    const [download, convert, upload, verify] = t.view(50).stages
    expect([download?.amount, download?.amountTotal, convert?.amount, upload?.amount, verify?.amount]).to.deep.equal([
      350,
      1_000,
      744,
      200,
      null,
    ])
  })

  it('takes what others downloaded from the catalog', () => {
    const t = new RunTracker({
      progress: progressOf({ planned: 2 }, { bytesIn: 5_000 }),
      downloadBytes: 1_000,
      nowMs: 0,
    })
    t.progress(progressOf({ planned: 1, converting: 1 }, { bytesIn: 5_400 }), 1_000)
    expect(t.view(1_000).stages[0]?.amount).to.equal(400)
  })

  it('knows pace and time left once something moved', () => {
    const t = tracker({ planned: 10 })
    expect(t.view(100).etaSeconds).to.equal(null)
    for (let second = 1; second <= 5; second++) {
      t.event({ type: 'bytes', stage: 'download', count: 100 }, second * 1_000)
      t.view(second * 1_000)
      t.progress(progressOf({ planned: 10 - second, verified: second }), second * 1_000)
    }
    const view = t.view(5_000)
    expect(view.elapsedSeconds).to.equal(5)
    expect(view.etaSeconds).to.be.closeTo(5, 0.01)
    expect(view.stages[0]?.perSecond).to.be.closeTo(100, 30)
  })

  it('has no time left when all is done', () => {
    const t = tracker({ planned: 1 })
    t.progress(progressOf({ verified: 1 }), 2_000)
    const view = t.view(2_000)
    expect([view.etaSeconds, view.stages.map(({ perSecond }) => perSecond), t.pending()]).to.deep.equal([
      0,
      [null, null, null, null],
      0,
    ])
  })

  it('says what jobs wait for until they go on, and not for another worker\'s lease', () => {
    const t = tracker({ converting: 2 })
    t.event(job('convert', { outcome: 'delayed', code: 'LEASE_HELD' }), 0)
    expect(t.view(0).waitsFor).to.equal(null)
    t.event(job('convert', { outcome: 'delayed', code: 'DISK_FULL' }), 0)
    expect(t.view(9_000).waitsFor).to.equal('DISK_FULL')
    expect(t.view(11_000).waitsFor).to.equal(null)
    t.event(job('convert', { outcome: 'delayed', code: 'DISK_FULL' }), 12_000)
    t.event(job('convert'), 12_500)
    expect(t.view(12_500).waitsFor).to.equal(null)
  })

  it('counts partitions by what was flagged in them', () => {
    const t = tracker({ verifying: 2 })
    const findings = [
      { code: 'GAP_UNKNOWN', count: 4, example: null },
      { code: 'HEADER_PRESENT', count: 1, example: null },
    ] as const
    t.event({ type: 'finished', partition, state: 'verified', findings, code: null, message: null }, 0)
    t.event({ type: 'finished', partition, state: 'verified', findings, code: null, message: null }, 0)
    expect([...t.findings()]).to.deep.equal([['GAP_UNKNOWN', 2]])
  })

  it('is a JSON line a stage', () => {
    const lines = progressLines(tracker({ converting: 1, verified: 3 }, 77).view(0))
    expect(lines[0]).to.deep.equal({
      v: 1,
      type: 'progress',
      run: '7f3k2',
      stage: 'download',
      done: 4,
      total: 4,
      bytes: 0,
      etaSeconds: 0,
    })
    expect(lines[1]).to.deep.equal({
      v: 1,
      type: 'progress',
      run: '7f3k2',
      stage: 'convert',
      done: 3,
      total: 4,
      bytes: 0,
      etaSeconds: null,
    })
  })
})

describe('pace', () => {
  it('forgets what lies before its window', () => {
    const pace = new Pace(10_000)
    pace.sample(0, 0)
    pace.sample(1_000_000, 1_000)
    for (let second = 2; second <= 40; second++) pace.sample(1_000_000 + second, second * 1_000)
    expect(pace.perSecond()).to.be.closeTo(1, 0.001)
  })

  it('is unknown at first, and never negative', () => {
    const pace = new Pace(10_000)
    pace.sample(10, 0)
    expect(pace.perSecond()).to.equal(null)
    pace.sample(10, 100)
    expect(pace.perSecond()).to.equal(null)
    pace.sample(0, 5_000)
    expect(pace.perSecond()).to.equal(0)
  })
})
