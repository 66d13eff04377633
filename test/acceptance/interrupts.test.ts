import { expect } from 'chai'
import { join } from 'node:path'
import { archive, keyOf, type Archive } from '../support/archive.js'
import { filesBelow, lastJson, printed, runCli, startCli, summaryOf, temporaryHome, until, type Home } from '../support/cli.js'

const MONTHS = Array.from({ length: 8 }, (_, i) => `2024-0${i + 1}`)
/** What a dead worker held is free again soon. */
const QUICK = { LEASE_SECONDS: '4', JOB_LOCK_SECONDS: '4', RECONCILE_SECONDS: '2' }

describe('acceptance: interrupted backfills', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home

  before(async () => {
    served = await archive()
    home = await temporaryHome({ ARCHIVE_URL: served.url, ...QUICK }, { up: true })
  })

  after(async () => {
    await home.remove()
    await served.close()
  })

  afterEach(() => {
    served.faults.clear()
  })

  const left = (): string[] => ['staging', 'lake/_incoming']
    .flatMap((folder) => filesBelow(join(home.dir, folder))).filter((name) => name !== '_catalog.json')
  /** What a killed process left is swept by reconcile. */
  const nothingIsLeft = (): Promise<unknown> => until('nothing in staging and _incoming', async () => {
    expect((await runCli(['reconcile'], home.env)).code).to.equal(0)
    return left().length === 0
  })

  async function series(symbol: string): Promise<{ args: string[]; keys: string[] }> {
    await served.months({ symbol, interval: '1d' }, MONTHS)
    served.forget()
    return {
      args: ['backfill', '--symbols', symbol, '--intervals', '1d', '--from', '2024-01', '--to', '2024-08', '--concurrency', 'download=1'],
      keys: MONTHS.map((month) => keyOf({ symbol, interval: '1d', month })),
    }
  }

  it('Ctrl-C finishes what is in hand and ends with 130; the same command fetches the rest and nothing twice', async () => {
    const { args, keys } = await series('FIRSTUSDT')
    served.faults.set({ match: /FIRSTUSDT.*\.zip$/, latencyMs: 700 })
    const running = startCli([...args, '--json'], home.env)
    await until('two files sent', () => served.sent().length >= 2)
    running.child.kill('SIGINT')
    const stopped = await running.ended
    expect(stopped.code, stopped.stderr).to.equal(130)
    expect(stopped.stderr).to.match(/^Finishing what is in hand, Ctrl-C again to stop at once$/m)
    expect(stopped.stderr).to.match(/^Stopped with \d of 8 to do\. The same command again resumes\.$/m)
    const { partitions } = summaryOf(stopped)
    expect(partitions['pending']).to.be.within(1, 8)
    expect(partitions).to.include({ quarantined: 0, failed: 0 })
    const sentBefore = served.sent().length
    expect(sentBefore, 'it was in the middle').to.be.within(2, 7)

    served.faults.clear()
    const resumed = await runCli([...args, '--json', '-q'], home.env)
    expect(resumed.code, resumed.stderr).to.equal(0)
    expect(summaryOf(resumed).partitions).to.include({ verified: 8 }).and.not.have.property('pending')
    expect(served.sent().sort(), 'each file once').to.deep.equal(keys)
    expect(left()).to.deep.equal([])
  })

  it('SIGTERM drains the same way and ends with 143; plain lines show the progress until then', async () => {
    const { args, keys } = await series('TERMUSDT')
    served.faults.set({ match: /TERMUSDT.*\.zip$/, latencyMs: 2_500 })
    const running = startCli(args, home.env)
    const [line = ''] = await printed(running, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ .*$/m)
    expect(line).to.match(/^\S+Z \w+ verified [0-8]\/8 quarantined 0 .*eta (\d+s|-)$/)
    running.child.kill('SIGTERM')
    const stopped = await running.ended
    expect(stopped.code, stopped.stderr).to.equal(143)
    expect(stopped.stdout + stopped.stderr).to.not.match(/[\u0000-\u0009\u000b-\u001f]/)
    served.faults.clear()
    const resumed = await runCli([...args, '--json', '-q'], home.env)
    expect(resumed.code, resumed.stderr).to.equal(0)
    expect(served.sent().sort()).to.deep.equal(keys)
    expect(left()).to.deep.equal([])
  })

  it('the second Ctrl-C ends at once, and the next run takes over what the dead one held', async () => {
    const { args, keys } = await series('TWICEUSDT')
    // Half of the file, and then nothing: a drain would wait for the time limit of an idle transfer.
    served.faults.set({ match: /TWICEUSDT.*\.zip$/, stallAfterBytes: 100 })
    const running = startCli(args, home.env)
    await until('a body that stalls', () => served.faults.counts.stallAfterBytes > 0)
    running.child.kill('SIGINT')
    await printed(running, /Finishing what is in hand/)
    const second = Date.now()
    running.child.kill('SIGINT')
    const ended = await running.ended
    expect(ended.code).to.equal(130)
    expect(Date.now() - second, 'ms from the second Ctrl-C to the end').to.be.below(5_000)
    served.faults.clear()
    const resumed = await runCli([...args, '--json', '-q'], home.env)
    expect(resumed.code, resumed.stderr).to.equal(0)
    expect(summaryOf(resumed).partitions).to.include({ verified: 8 })
    expect([...new Set(served.sent())].sort()).to.deep.equal(keys)
    await nothingIsLeft()
  })

  it('kill -9 in the middle loses nothing and doubles nothing', async () => {
    const { args } = await series('KILLUSDT')
    served.faults.set({ match: /KILLUSDT.*\.zip$/, latencyMs: 400 })
    const running = startCli(args, home.env)
    await until('three files sent', () => served.sent().length >= 3)
    running.child.kill('SIGKILL')
    expect((await running.ended).signal).to.equal('SIGKILL')
    served.faults.clear()
    const resumed = await runCli([...args, '--json', '-q'], home.env)
    expect(resumed.code, resumed.stderr).to.equal(0)
    expect(summaryOf(resumed)).to.deep.include({ rows: 31 + 29 + 31 + 30 + 31 + 30 + 31 + 31 })
    const verify = await runCli(['verify', 'spot-klines/KILLUSDT', '--json', '-q'], home.env)
    expect(lastJson(verify)).to.include({ partitions: 8, drifted: 0 })
    const parquet = filesBelow(join(home.dir, 'lake/spot-klines/killusdt')).filter((name) => name.endsWith('.parquet'))
    expect(parquet).to.have.length(8)
    await nothingIsLeft()
  })

  it('a reader who has enough ends a reading command and not a working one', async () => {
    const { args } = await series('PIPEUSDT')
    const working = startCli([...args, '--json'], home.env)
    working.child.stdout?.destroy()
    expect((await working.ended).code).to.equal(0)
    const quiet = summaryOf(await runCli([...args, '--json', '-q'], home.env))
    expect(quiet.partitions).to.include({ verified: 8 })
    const reading = startCli(['verify', '--json'], home.env)
    reading.child.stdout?.destroy()
    const ended = await reading.ended
    expect({ code: ended.code, stderr: ended.stderr }).to.deep.equal({ code: 0, stderr: '' })
  })
})
