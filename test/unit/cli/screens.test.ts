import { expect } from 'chai'
import { estimateOf } from '../../../src/cli/estimate.js'
import { renderDoctor } from '../../../src/cli/render/doctor.js'
import { errorJson, renderError } from '../../../src/cli/render/error.js'
import { inWords, kindsInWords, renderFinding, tale } from '../../../src/cli/render/findings.js'
import { NO_PAINT } from '../../../src/cli/render/paint.js'
import { renderDryRun, renderPlanned } from '../../../src/cli/render/plan.js'
import { renderQuarantine } from '../../../src/cli/render/quarantine.js'
import { renderWorkers } from '../../../src/cli/render/workers.js'
import { renderStatus, type Status } from '../../../src/cli/render/status.js'
import { renderSummary } from '../../../src/cli/render/summary.js'
import { summaryOf } from '../../../src/cli/run-summary.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { VERDICTS, type FindingCode } from '../../../src/domain/findings.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import { progressOf, statesOf } from './sample-run.js'

const MIB = 1024 ** 2
const REPORT = {
  run: null,
  partitions: 356,
  todo: 356,
  joined: 0,
  done: 0,
  downloadBytes: 418 * MIB,
  unlisted: 0,
  freeBytes: 41 * 1024 ** 3,
  unknown: [],
}

describe('the plan line', () => {
  it('says what there is and what is to be downloaded', () => {
    expect(renderPlanned(REPORT, { verified: 0, seconds: 0.9 }))
      .to.equal('Planned 356 partitions in 0.9s: 0 verified, 418 MiB to download')
    expect(renderPlanned({ ...REPORT, partitions: 1, todo: 0, done: 1 }, { verified: 1, seconds: 0.1 }))
      .to.equal('Planned 1 partition in 0.1s: 1 verified, nothing to download')
    expect(
      renderPlanned({ ...REPORT, todo: 300, joined: 56, unlisted: 300, downloadBytes: 0 }, { verified: 0, seconds: 1 }),
    ).to.equal('Planned 356 partitions in 1.0s: 0 verified, 56 on their way, an unknown size to download')
  })
})

describe('a dry run', () => {
  it('says what would be done', () => {
    const estimate = { downloadBytes: 352 * MIB, lakeBytes: 338 * MIB, seconds: 24 }
    expect(renderDryRun({ ...REPORT, todo: 300, done: 56 }, estimate)).to.deep.equal([
      'Would run 300 of 356 partitions. Nothing was changed.',
      'download 352 MiB  lake ~338 MiB  free 41 GiB  time ~24s',
    ])
  })

  it('says no more than it knows', () => {
    const unlisted = { ...REPORT, unlisted: 356, downloadBytes: 0, freeBytes: null }
    expect(renderDryRun(unlisted, estimateOf(unlisted, { bytesIn: 0, bytesOut: 0 }, 2))).to.deep.equal([
      'Would run 356 of 356 partitions. Nothing was changed.', 'download unknown  lake unknown  time unknown',
    ])
    expect(
      renderDryRun(
        { ...REPORT, todo: 0, done: 356 },
        estimateOf({ ...REPORT, todo: 0 }, { bytesIn: 0, bytesOut: 0 }, 2),
      ),
    ).to.deep.equal(['Would run 0 of 356 partitions. Nothing was changed.'])
  })

  it('learns the size of Parquet from the lake, and counts unlisted files for nothing', () => {
    const half = { ...REPORT, todo: 200, unlisted: 100, downloadBytes: 100 * MIB }
    const estimate = estimateOf(half, { bytesIn: 1_000, bytesOut: 900 }, 1)
    expect([estimate.downloadBytes, estimate.lakeBytes]).to.deep.equal([100 * MIB, 90 * MIB])
    expect(estimateOf(half, { bytesIn: 0, bytesOut: 0 }, 2).seconds).to.equal((estimate.seconds ?? 0) / 2)
  })
})

describe('lines of findings', () => {
  const partition = 'spot-klines/BTCUSDT/1h/2018-02'
  const finding = (code: FindingCode, count: number) => ({ code, count, example: null })

  it('say what was accepted', () => {
    const text = tale({
      state: 'verified',
      findings: [finding('OFF_GRID_ROWS', 43), finding('CARRIAGE_RETURNS', 9)],
      code: null,
      message: null,
    })
    expect(renderFinding({ partition, text: text ?? '', bad: false, width: 80, paint: NO_PAINT }))
      .to.equal('! spot-klines/BTCUSDT/1h/2018-02  43 off-grid rows, accepted')
  })

  it('say nothing of what is normal', () => {
    expect(tale({ state: 'verified', findings: [finding('GAP_OUTAGE', 1)], code: null, message: null })).to.equal(null)
    expect(tale({ state: 'absent', findings: [], code: null, message: null })).to.equal(null)
  })

  it('say what keeps a partition out, with its control characters escaped', () => {
    const text =
      tale({ state: 'quarantined', findings: [], code: 'CORRUPT', message: 'row 8,112 has volume \u001b[31m-3' }) ?? ''
    expect(renderFinding({ partition, text, bad: true, width: null, paint: NO_PAINT }))
      .to.equal('x spot-klines/BTCUSDT/1h/2018-02  quarantined: CORRUPT row 8,112 has volume \\u001b[31m-3')
  })

  it('lose the middle of the name where it is narrow', () => {
    expect(renderFinding({ partition, text: '43 off-grid rows, accepted', bad: false, width: 50, paint: NO_PAINT }))
      .to.equal('! spot-kline…h/2018-02  43 off-grid rows, accepted')
  })

  it('have words for every code', () => {
    for (const code of Object.keys(VERDICTS) as FindingCode[])
      expect(inWords({ code, count: 2 })).to.match(/^2 [a-zA-Z]/)
    expect(inWords({ code: 'DUPLICATE_ROWS', count: 1 })).to.equal('1 duplicate row')
    expect(kindsInWords(new Map([['GAP_UNKNOWN', 2], ['CHECKSUM_MISSING', 1]])))
      .to.equal('2 partitions with missing bars of unknown cause, 1 partition with missing CHECKSUMs')
  })
})

describe('the summary', () => {
  const group = (state: 'verified' | 'quarantined', partitions: number, rows: number) =>
    ({ dataset: 'spot-klines', interval: '1h', state, partitions, published: 0, rows, bytesIn: 4 * MIB, bytesOut: 3.5 * MIB })

  it('is a table and a sentence', () => {
    const progress = progressOf({ verified: 176, quarantined: 2 }, { rows: 129_034 })
    const groups = [group('verified', 176, 129_034), group('quarantined', 2, 0)]
    expect(renderSummary(summaryOf(progress, groups, 27.1))).to.deep.equal([
      'dataset      interval  verified  late  quarantined     rows    ZIP  Parquet',
      'spot-klines  1h             176     0            2  129,034  8 MiB    7 MiB',
      'Verified 176 of 178 in 27s, 2 quarantined. See: candlelake quarantine list',
    ])
  })

  it('has columns for what there is besides', () => {
    const progress = progressOf({ verified: 1, provisional: 1, absent: 1, failed: 1, cancelled: 1, planned: 2 })
    const lines = renderSummary(summaryOf(progress, [group('verified', 1, 7)], 3))
    expect(lines[0]).to.equal(
      'dataset      interval  verified  provisional  late  absent  quarantined  failed  cancelled  rows    ZIP  Parquet',
    )
    expect(lines.at(-1)).to.equal(
      'Verified 1 of 7 in 3.0s, 1 provisional, 1 absent, 1 failed, 1 cancelled, 2 not done.',
    )
  })
})

describe('status', () => {
  const none = { waiting: 0, active: 0, delayed: 0, completed: 9, failed: 0 }
  const quiet: Status = {
    now: new Date('2026-11-22T20:32:00Z'), states: statesOf({ verified: 354, quarantined: 2 }), lakeBytes: 399 * MIB, published: 354,
    runs: [], workers: [], queue: { download: none, convert: none, upload: none, verify: none, migrate: none },
  }

  it('shows lake and runs', () => {
    const runs = [progressOf({ verified: 339, quarantined: 2, converting: 12, verifying: 3 }, { alreadyDone: 41 })]
    expect(renderStatus({ ...quiet, runs })).to.deep.equal([
      'lake    354 verified  2 quarantined  399 MiB',
      'run     7f3k2 backfill  341/356  convert 12  verify 3  2 quarantined  ETA 0:03',
      'queue   empty',
    ])
  })

  it('says that an older revision is served of what a later try did not replace', () => {
    expect(renderStatus({ ...quiet, published: 355 })[0])
      .to.equal('lake    354 verified  2 quarantined  1 of an older revision still served  399 MiB')
  })

  it('shows workers and queues', () => {
    const worker = {
      id: 'w1',
      host: 'ho\u001bst',
      pid: 12,
      stages: ['download', 'convert'] as const,
      doing: [{ stage: 'convert' as const, partition: 'x' }],
      lost: false,
      startedAt: new Date(0),
      seenAt: new Date('2026-11-22T20:31:58Z'),
    }
    const queue = { ...quiet.queue, convert: { ...none, waiting: 1_200, active: 2 }, verify: { ...none, failed: 1 } }
    const dead = { ...worker, host: 'h', lost: true, seenAt: new Date('2026-11-22T20:30:00Z') }
    expect(renderStatus({ ...quiet, workers: [worker, dead], queue }).slice(1)).to.deep.equal([
      'worker  ho\\u001bst:12  download convert  1 in hand  seen 2.0s ago',
      'worker  h:12 lost  seen 2m00s ago  held convert x',
      'queue   convert 1,200 waiting, 2 active  verify 1 failed',
    ])
  })

  it('says of a finished run that it is done', () => {
    const done = progressOf({ verified: 3 })
    const runs = [{ ...done, run: { ...done.run, state: 'done' as const } }]
    expect(renderStatus({ ...quiet, runs })[1]).to.equal('run     7f3k2 backfill  3/3  done')
  })
})

describe('the list of workers', () => {
  it('says what each has in hand and since when, and what a lost one held', () => {
    const worker = {
      id: 'a-12-f', host: 'a', pid: 12, stages: ['download', 'convert'] as const, lost: false,
      doing: [
        { stage: 'convert' as const, partition: 'spot-klines/BTCUSDT/1h/2024-01', since: '2026-11-22T20:31:48.000Z' },
        { stage: 'download' as const, partition: 'spot-klines/BTCUSDT/1h/2024-02' },
      ],
      startedAt: new Date(0), seenAt: new Date('2026-11-22T20:31:58Z'),
    }
    const idle = { ...worker, id: 'b-1-c', host: 'b', pid: 1, doing: [] }
    const lost = { ...worker, id: 'c-2-d', host: 'c', pid: 2, doing: worker.doing.slice(0, 1), lost: true }
    expect(renderWorkers([worker, idle, lost], new Date('2026-11-22T20:33:00Z'))).to.deep.equal([
      'worker  process  state  seen       stages            in hand',
      'a-12-f  a:12     busy   1m02s ago  download convert  convert spot-klines/BTCUSDT/1h/2024-01 1m12s',
      '                                                     download spot-klines/BTCUSDT/1h/2024-02',
      'b-1-c   b:1      idle   1m02s ago  download convert  -',
      'c-2-d   c:2      lost   1m02s ago  download convert  convert spot-klines/BTCUSDT/1h/2024-01 10s',
    ])
    expect(renderWorkers([], new Date())).to.deep.equal([])
  })
})

describe('the list of quarantined partitions', () => {
  const entry = {
    partition: parsePartitionKey('spot-klines/BTCUSDT/1h/2021-04'),
    generation: 1,
    code: 'CORRUPT',
    message: 'row 8,112 has volume -3',
    facts: {},
    kept: null,
    since: new Date('2026-11-22T20:31:14Z'),
    published: null,
  }
  it('says that the lake still has an older revision', () => {
    const published = { key: 'k', etag: 'e', bytes: 1, sha256Hex: 'a', rows: 1, revision: 'r' }
    expect(renderQuarantine([{ ...entry, published }], null)[0])
      .to.match(/CORRUPT: row 8,112 has volume -3 \(an older revision is still served\)$/)
  })

  it('is whole in a pipe and cut on a terminal', () => {
    expect(renderQuarantine([entry], null)).to.deep.equal(
      ['2026-11-22T20:31:14Z  spot-klines/BTCUSDT/1h/2021-04  CORRUPT: row 8,112 has volume -3'])
    expect(renderQuarantine([entry], 60)).to.deep.equal([
      '2026-11-22T20:31:14Z  spot-kline…h/2021-04  CORRUPT: row 8,…',
    ])
  })
})

describe('doctor', () => {
  it('says what is well and what to do about the rest', () => {
    expect(renderDoctor([
      { name: 'catalog', ok: true, detail: 'embedded Postgres', do: null },
      { name: 'queue', ok: false, detail: 'redis://cache:6379 refused', do: 'start it or unset QUEUE_URL' },
    ], NO_PAINT)).to.deep.equal([
      'ok    catalog  embedded Postgres',
      'fail  queue    redis://cache:6379 refused: start it or unset QUEUE_URL',
    ])
  })
})

describe('errors', () => {
  const error = new PipelineError('DISK_FULL', 'needs 2.1 GiB, has 0.4 (waits)', {
    at: 'convert um-klines/BTCUSDT/1m/2022-04', do: 'free 1.7 GiB', needsBytes: 7,
  }, new Error('ENOSPC'))

  it('say what, where and what to do', () => {
    expect(renderError(error, { verbose: false, paint: NO_PAINT })).to.deep.equal([
      'error DISK_FULL: needs 2.1 GiB, has 0.4 (waits)',
      '  at convert um-klines/BTCUSDT/1m/2022-04  do: free 1.7 GiB',
    ])
  })

  it('have no second line where there is nothing to say', () => {
    expect(renderError(new PipelineError('CORRUPT', 'x'), { verbose: false, paint: NO_PAINT })).to.deep.equal([
      'error CORRUPT: x',
    ])
    expect(renderError(new Error('boom'), { verbose: false, paint: NO_PAINT }))
      .to.deep.equal(['error UNEXPECTED: boom', '  do: run it again with -v and report what it says'])
  })

  it('show stacks and causes when asked', () => {
    const lines = renderError(error, { verbose: true, paint: NO_PAINT })
    expect(lines).to.include('  caused by').and.include('  Error: ENOSPC')
  })

  it('are objects under --json', () => {
    expect(errorJson(error)).to.deep.equal({
      v: 1, type: 'error', code: 'DISK_FULL', message: 'needs 2.1 GiB, has 0.4 (waits)',
      at: 'convert um-klines/BTCUSDT/1m/2022-04', do: 'free 1.7 GiB', facts: { needsBytes: 7 },
    })
  })
})
