import { expect } from 'chai'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { sampleArchive, type Sample } from '../support/archive.js'
import { errorOf, filesBelow, jsonLines, lastJson, runCli, summaryOf, temporaryHome, type Ended, type Home } from '../support/cli.js'
import { addressOf, freshDatabase, type TestDatabase } from '../support/postgres.js'

/** What a catalog says of the lake: all but times, runs and who was at it when. */
const TABLES = {
  partitions: `select dataset, symbol, "interval", month, kind, state, generation, crashes, flagged, work, source_bytes, staged_bytes,
    published_key, published_etag, published_bytes, published_rows, published_sha256, published_revision, code, message, facts
    from candlelake.partitions order by 1, 2, 3, 4`,
  certificates: `select p.dataset, p.symbol, p."interval", p.month, c.certificate
    from candlelake.certificates c join candlelake.partitions p on p.id = c.partition_id order by 1, 2, 3, 4`,
  sources: `select p.dataset, p.symbol, p."interval", p.month, s.position, s.key, s.etag, s.last_modified, s.bytes, s.sha256, s.checksum,
    s.checksum_hex, s.from_us, s.to_us from candlelake.sources s join candlelake.partitions p on p.id = s.partition_id order by 1, 2, 3, 4, 5`,
  gaps: `select p.dataset, p.symbol, p."interval", p.month, g.position, g.from_us, g.to_us, g.missing, g.class, g.calendar
    from candlelake.gaps g join candlelake.partitions p on p.id = g.partition_id order by 1, 2, 3, 4, 5`,
} as const
type Catalog = Readonly<Record<keyof typeof TABLES, readonly Record<string, unknown>[]>>

describe('acceptance: a catalog that was lost', function () {
  this.timeout(300_000)
  let sample: Sample
  let database: TestDatabase
  let home: Home
  let before_: Catalog

  before(async () => {
    sample = await sampleArchive()
    database = await freshDatabase()
    home = await temporaryHome({ ARCHIVE_URL: sample.url, DATABASE_URL: addressOf(database.connection) })
    const ended = await backfill()
    expect(ended.code, ended.stderr).to.equal(0)
    expect(summaryOf(ended).partitions).to.include({ verified: 12 })
    before_ = await catalogNow()
    expect(before_.partitions).to.have.length(12)
  })

  after(async () => {
    await home.remove()
    await database.drop()
    await sample.close()
  })

  const ask = async <T extends pg.QueryResultRow>(text: string): Promise<T[]> => {
    const client = new pg.Client(database.connection)
    await client.connect()
    return await client.query<T>(text).then(({ rows }) => rows).finally(() => client.end())
  }
  const catalogNow = async (): Promise<Catalog> => Object.fromEntries(
    await Promise.all(Object.entries(TABLES).map(async ([name, text]) => [name, await ask(text)] as const))) as unknown as Catalog
  const lose = (): Promise<unknown> => ask('drop schema candlelake cascade')
  const all = (): string[] => ['--symbols', 'all', '--intervals', 'all', '--from', sample.from, '--to', sample.to]
  const backfill = (...more: string[]): Promise<Ended> => runCli(['backfill', ...all(), '--json', '-q', ...more], home.env)
  const rebuild = (...more: string[]): Promise<Ended> => runCli(['catalog', 'rebuild', '--json', ...more], home.env)
  const nothingToDo = async (): Promise<void> => {
    expect(lastJson(await backfill('--dry-run'))).to.deep.include({ total: 12, todo: 0, done: 12 })
  }

  it('is made again from the lake: the same rows, nothing to do, no drift', async () => {
    await lose()
    const refused = await backfill()
    expect(refused.code).to.equal(1)
    expect(errorOf(refused).code, 'the lake is of another catalog').to.equal('LAKE_MISMATCH')
    expect(errorOf(refused).do).to.include('candlelake catalog rebuild')
    const dry = await rebuild('--dry-run')
    expect(dry.code, dry.stderr).to.equal(0)
    expect(lastJson(dry)).to.include({ dryRun: true, added: 12 })
    expect(lastJson(dry)['takenFrom']).to.match(/^[0-9a-f]{10}$/)
    expect((await catalogNow()).partitions, 'a dry run changes nothing').to.deep.equal([])
    const ended = await rebuild()
    expect(ended.code, ended.stderr).to.equal(0)
    expect(lastJson(ended)).to.include({ v: 1, type: 'summary', partitions: 12, added: 12, leftOut: 0, rows: 269_132 })
    expect(lastJson(ended)['takenFrom']).to.equal(lastJson(dry)['takenFrom'])
    expect(await catalogNow()).to.deep.equal(before_)
    await nothingToDo()
    expect((await backfill()).code, 'lake and staging are this one\'s').to.equal(0)
    expect(lastJson(await runCli(['verify', '--json', '-q'], home.env))).to.include({ partitions: 12, drifted: 0 })
  })

  it('refuses a catalog that is not empty, and with --add takes in only what it lacks', async () => {
    const refused = await rebuild()
    expect(refused.code).to.equal(1)
    expect(errorOf(refused)).to.include({ code: 'BAD_USAGE' })
    expect(errorOf(refused).do).to.include('--add')
    await ask("delete from candlelake.partitions where month = (select min(month) from candlelake.partitions)")
    const lacking = 12 - (await catalogNow()).partitions.length
    expect(lacking).to.be.greaterThan(0)
    const dry = await rebuild('--add', '--dry-run')
    expect(lastJson(dry)).to.include({ added: lacking, kept: 12 - lacking })
    const ended = await rebuild('--add')
    expect(lastJson(ended)).to.include({ added: lacking, replaced: 0, kept: 12 - lacking, leftOut: 0 })
    expect(await catalogNow()).to.deep.equal(before_)
  })

  it('a row that is older than the lake is replaced with --add, and one that is on its way is not', async () => {
    await backfill() // so that a run knows the rows
    const rows = await ask<{ id: number; symbol: string }>('select id, symbol from candlelake.partitions order by id limit 2')
    const [old, busy] = rows.map(({ id }) => id)
    await ask(`update candlelake.partitions set published_sha256 = 'old', updated_at = '2020-01-01' where id = ${old};
      update candlelake.certificates set certificate = jsonb_set(certificate, '{issuedAt}', '"2019-12-31T00:00:00.000Z"') where partition_id = ${old};
      update candlelake.partitions set state = 'planned', generation = generation + 1, updated_at = '2020-01-01' where id = ${busy}`)
    expect(lastJson(await rebuild('--add'))).to.include({ added: 0, replaced: 1, kept: 11 })
    expect(await ask(`select state from candlelake.partitions where id = ${busy}`)).to.deep.equal([{ state: 'planned' }])
    expect((await ask(`select from candlelake.run_partitions where partition_id = ${old}`)).length, 'runs know it still').to.be.greaterThan(0)
    const done = await backfill()
    expect(done.code, done.stderr).to.equal(0)
    const now = await catalogNow()
    expect(now.partitions.map((row) => row['published_sha256'])).to.deep.equal(before_.partitions.map((row) => row['published_sha256']))
  })

  it('what its certificate does not vouch for is left out and named, and a backfill does it again', async () => {
    const data = filesBelow(join(home.dir, 'lake')).filter((name) => name.endsWith('data.parquet'))
    const path = (i: number, name = 'data.parquet'): string => join(home.dir, 'lake', data[i] ?? '', '..', name)
    const good = data.map((_, i) => readFileSync(path(i)))
    const spoilt = Buffer.from(good[0] ?? [])
    spoilt[40] = (spoilt[40] ?? 0) ^ 0x10
    writeFileSync(path(0), spoilt)
    appendFileSync(path(1), 'more')
    rmSync(path(2, 'certificate.json'))
    writeFileSync(path(3, 'certificate.json'), '{')
    writeFileSync(path(4, 'certificate.json'), readFileSync(path(4, 'certificate.json'), 'utf8').replace(/"rows": \d+/, '"rows": 7'))
    await lose()
    const ended = await rebuild()
    expect(ended.code, ended.stdout + ended.stderr).to.equal(2)
    expect(lastJson(ended)).to.include({ partitions: 12, added: 7, leftOut: 5 })
    const reasons = jsonLines(ended.stdout).filter((line) => line['outcome'] === 'left_out').map((line) => String(line['reason']))
    const wanted = [/other bytes/, /other bytes/, /no certificate; its footer says revision [0-9a-f]{16}, and it holds \d+ good rows/, /not JSON/, /hash is not/]
    reasons.forEach((reason, i) => expect(reason).to.match(wanted[i] ?? /^$/))
    expect(reasons).to.have.length(5)
    const words = await runCli(['catalog', 'rebuild', '--add'], home.env)
    expect(words.stdout).to.match(/^x \S+ {2}left out: it has no certificate; /m).and.to.match(/5 left out\. Redo with: candlelake backfill$/m)
    const done = await backfill()
    expect(done.code, done.stderr).to.equal(0)
    expect(data.map((_, i) => readFileSync(path(i)).equals(good[i] ?? Buffer.of())), 'the same bytes again').to.not.include(false)
    await nothingToDo()
  })

  it('certificates of before, without what the listing said, will do', async () => {
    for (const name of filesBelow(join(home.dir, 'lake')).filter((one) => one.endsWith('certificate.json'))) {
      const file = join(home.dir, 'lake', name)
      const { origin, ...older } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
      expect(origin).to.be.an('object')
      writeFileSync(file, JSON.stringify(older))
    }
    await lose()
    expect(lastJson(await rebuild())).to.include({ added: 12, leftOut: 0 })
    await nothingToDo()
    expect((await ask<{ etag: string | null }>('select etag from candlelake.sources')).map(({ etag }) => etag)).to.deep.equal(Array(12).fill(null))
  })

  it('a lake of the other numeric type is refused', async () => {
    await lose()
    const ended = await runCli(['catalog', 'rebuild', '--json'], { ...home.env, NUMERIC_TYPE: 'decimal' })
    expect(ended.code).to.equal(1)
    expect(errorOf(ended)).to.include({ code: 'NUMERIC_TYPE_MISMATCH' })
    expect(errorOf(ended).do).to.include('NUMERIC_TYPE=double')
  })
})
