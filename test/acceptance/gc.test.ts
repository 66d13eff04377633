import { expect } from 'chai'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { archive, type Archive } from '../support/archive.js'
import { errorOf, filesBelow, lastJson, printed, runCli, startAtTerminal, startCli, temporaryHome, type Home } from '../support/cli.js'

const MONTHS = ['2024-01', '2024-02', '2024-03', '2024-04', '2024-05', '2024-06']
const GHOST = 'lake/spot-klines/ghostusdt/1d/2024-01'

describe('acceptance: gc', function () {
  this.timeout(240_000)
  let served: Archive
  let home: Home

  before(async () => {
    served = await archive()
    home = await temporaryHome({ ARCHIVE_URL: served.url }, { up: true })
    await served.months({ symbol: 'KEEPUSDT', interval: '1d' }, MONTHS)
    const ended = await backfill('KEEPUSDT')
    expect(ended.code, ended.stderr).to.equal(0)
  })

  after(async () => {
    await home.remove()
    await served.close()
  })

  const backfill = (symbol: string): ReturnType<typeof runCli> => runCli(
    ['backfill', '--symbols', symbol, '--intervals', '1d', '--from', '2024-01', '--to', '2024-06', '--json', '-q'], home.env)
  /** Made two hours ago. */
  const old = (name: string): void => {
    const path = join(home.dir, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, name)
    for (const one of [path, dirname(path)]) utimesSync(one, Date.now() / 1_000 - 7_200, Date.now() / 1_000 - 7_200)
  }
  const litter = (): string[] => {
    const names = [
      `${GHOST}/data.parquet`, `${GHOST}/certificate.json`, 'lake/_incoming/spot-klines/keepusdt/1d/2024-01/g1-dead.parquet',
      'lake/_revisions/spot-klines/keepusdt/1d/2024-01/0123456789abcdef.parquet', 'staging/spot-klines/keepusdt/1d/2024-01/g1-dead/source-0.zip',
      'lake/.tmp/dead.part',
    ]
    names.forEach(old)
    return names
  }
  const thatExist = (names: readonly string[]): string[] => names.filter((name) => existsSync(join(home.dir, name)))
  const itemsOf = (found: Record<string, unknown>): Record<string, number> => Object.fromEntries(
    (found['items'] as { kind: string; objects: number }[]).map(({ kind, objects }) => [kind, objects]))
  const ONE_OF_EACH = { staging: 1, incoming: 1, revision: 1, data: 1, certificate: 1 }

  it('says what it would delete, refuses to delete unasked where nobody can be asked, and deletes that and no more', async () => {
    const good = filesBelow(join(home.dir, 'lake'))
    const names = litter()
    old('lake/notes.txt')
    const dry = await runCli(['gc', '--dry-run', '--json'], home.env)
    expect(dry.code, dry.stderr).to.equal(0)
    expect(itemsOf(lastJson(dry))).to.deep.equal(ONE_OF_EACH)
    expect(lastJson(dry)).to.deep.include({ v: 1, type: 'gc', dryRun: true, unfinished: null })
    expect(lastJson(dry)['foreign']).to.deep.include({ objects: 1, keys: ['notes.txt'] })
    const words = await runCli(['gc', '-n', '-v'], home.env)
    expect(words.stdout).to.match(/^1 staging folder, /m).and.to.match(/^1 object not ours, left alone: notes\.txt$/m)
      .and.to.match(/^Would delete 5 objects, \d+ B\. Nothing was changed\.$/m)
    expect(words.stderr).to.include('data spot-klines/ghostusdt/1d/2024-01/data.parquet')
    const refused = await runCli(['gc', '--json'], home.env)
    expect(refused.code).to.equal(1)
    expect(errorOf(refused)).to.include({ code: 'BAD_USAGE', at: '--yes' })
    const young = await runCli(['gc', '-y', '--older-than', '3h', '--json'], home.env)
    expect(itemsOf(lastJson(young)), 'nothing is that old').to.include({ data: 0, staging: 0, incoming: 0 })
    expect(thatExist(names)).to.deep.equal(names)

    const done = await runCli(['gc', '-y', '--json'], home.env)
    expect(done.code, done.stderr).to.equal(0)
    expect(itemsOf(lastJson(done))).to.deep.equal(ONE_OF_EACH)
    expect(lastJson(done)).to.include({ dryRun: false, unfinished: 1 })
    expect(thatExist(names)).to.deep.equal([])
    expect(filesBelow(join(home.dir, 'lake'))).to.deep.equal(['notes.txt', ...good].sort())
    expect(lastJson(await runCli(['verify', '--json', '-q'], home.env))).to.include({ partitions: 6, drifted: 0 })
    const wrong = await runCli(['gc', '--older-than', '5s', '--json'], home.env)
    expect(errorOf(wrong)).to.include({ code: 'BAD_USAGE', at: '--older-than' })
  })

  it('asks at a terminal, and deletes only after a yes', async () => {
    const names = litter()
    const no = startAtTerminal(['gc'], home.env)
    await printed(no, /Delete 5 objects, \d+ B\? \[y\/N\]/)
    no.type('\r')
    expect((await no.ended).stdout).to.include('Nothing was deleted.')
    expect(thatExist(names)).to.deep.equal(names)
    const yes = startAtTerminal(['gc'], home.env)
    await printed(yes, /\[y\/N\]/)
    yes.type('y\r')
    expect((await yes.ended).stdout).to.match(/Deleted 5 objects, \d+ B, and 1 unfinished write\./)
    expect(thatExist(names)).to.deep.equal([])
  })

  it('a backfill beside it loses nothing, although all that it stages looks two hours old to gc', async () => {
    await served.months({ symbol: 'BESIDEUSDT', interval: '1d' }, MONTHS)
    served.faults.set({ match: /BESIDEUSDT.*\.zip$/, latencyMs: 700 })
    const working = startCli(
      ['backfill', '--symbols', 'BESIDEUSDT', '--intervals', '1d', '--from', '2024-01', '--to', '2024-06', '--json', '-q',
        '--concurrency', 'download=1'], home.env)
    let over = false
    void working.ended.then(() => (over = true))
    // The clock cannot be turned back for one process: the files are made old instead, again and again.
    const aging = setInterval(() => ageAll(join(home.dir, 'staging'), join(home.dir, 'lake/_incoming')), 20)
    let passes = 0
    try {
      for (; !over; passes++) expect((await runCli(['gc', '-y', '--json'], home.env)).code).to.equal(0)
    } finally {
      clearInterval(aging)
    }
    const ended = await working.ended
    expect(passes, 'it ran beside').to.be.greaterThan(1)
    expect(ended.code, ended.stderr).to.equal(0)
    expect(lastJson(ended)['partitions']).to.include({ verified: 6 })
    const { partitions, drifted } = lastJson(await runCli(['verify', '--json', '-q'], home.env))
    expect({ partitions, drifted }).to.deep.equal({ partitions: 12, drifted: 0 })
    const keys = served.sent().filter((key) => key.includes('BESIDEUSDT'))
    expect(keys, 'nothing had to be fetched again').to.have.length(6)
  })

  function ageAll(...folders: readonly string[]): void {
    const at = Date.now() / 1_000 - 7_200
    for (const folder of folders) {
      for (const name of existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []) {
        if (name.includes('.tmp')) continue // a minute is always left to unfinished writes
        try {
          utimesSync(join(folder, name), at, at)
        } catch {
          continue // moved on meanwhile
        }
      }
    }
  }

  it('a catalog that knows nothing of the lake is not believed', async () => {
    const other = await temporaryHome({ ...home.env, CANDLELAKE_HOME: '' })
    try {
      const env = { ...other.env, CANDLELAKE_HOME: other.dir, LAKE_URL: `file://${join(home.dir, 'lake')}` }
      for (const name of filesBelow(join(home.dir, 'lake'))) utimesSync(join(home.dir, 'lake', name), 1_700_000_000, 1_700_000_000)
      const stranger = await runCli(['gc', '-y', '--json'], env)
      expect(errorOf(stranger).code).to.equal('LAKE_MISMATCH')
      // As a lake of before there were markers.
      rmSync(join(home.dir, 'lake/_catalog.json'))
      const refused = await runCli(['gc', '-y', '--json'], env)
      expect(refused.code).to.equal(1)
      expect(errorOf(refused).code).to.equal('CATALOG_INCOMPLETE')
      expect(errorOf(refused).do).to.include('catalog rebuild')
      expect(readFileSync(join(home.dir, 'lake/spot-klines/keepusdt/1d/2024-01/data.parquet')).length).to.be.greaterThan(0)
    } finally {
      await other.remove()
    }
  })
})
