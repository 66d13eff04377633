import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { S3Link } from '../../../src/adapters/s3-store/s3-link.js'
import { openS3ObjectStore } from '../../../src/adapters/s3-store/s3-object-store.js'
import { readLocalFooter } from '../../../src/adapters/remote-parquet/local-parts.js'
import { startArchiveServer, type ArchiveServer } from '../../../src/archive-server/server.js'
import { openFileQuery } from '../../../src/compose-file-query.js'
import { resolveConfig, type Config } from '../../../src/config.js'
import { PipelineError } from '../../../src/domain/errors.js'
import type { FileQuery } from '../../../src/lake/file-query.js'
import { CandleFiles } from '../../support/candle-files.js'
import { filesBelow } from '../../support/cli.js'
import { failingWith } from '../../support/failing-with.js'
import { HOSTILE } from '../../support/hostile-sql.js'
import { acquireS3, newPrefix, s3Connection } from '../../support/s3.js'
import { tempFolder } from '../../support/temp-folder.js'

/** Not a candle in it: Bloom filters, a nested column, a name with a blank, times in milliseconds. */
const ODD = `SELECT i AS id, 'name ' || (i % 50) AS "the name", {'a': i, 'b': [i]} AS nested,
  make_timestamptz(1704067200000000 + i * 60000000) AS open_time FROM range(200000) t(i)`
const FLAT = `SELECT i AS id, 'name ' || (i % 50) AS name, hash(i) AS noise,
  make_timestamptz(1704067200000000 + i * 60000000) AS open_time FROM range(200000) t(i)`

describe('questions to Parquet files', function () {
  this.timeout(120_000)
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let files: CandleFiles
  let server: ArchiveServer
  let config: Config
  let caches = 0
  const opened: FileQuery[] = []

  const local = (name: string): string => join(folder.path, 'served/data', name)
  const remote = (name: string): string => `${server.url}/data/${name}`
  const ask = (...addresses: string[]): FileQuery => {
    const cacheDir = join(folder.path, `cache-${++caches}`)
    const query = openFileQuery(addresses, config, { cacheDir, timeoutSeconds: 20 })
    opened.push(query)
    return query
  }
  const write = async (name: string, sql: string, options = ''): Promise<void> => {
    await mkdir(dirname(local(name)), { recursive: true })
    await files.query(`COPY (${sql}) TO '${local(name)}' (FORMAT parquet, ROW_GROUP_SIZE 40960${options})`)
  }

  before(async () => {
    folder = await tempFolder()
    files = await CandleFiles.in(folder.path)
    await write('odd.parquet', ODD)
    await write('flat.parquet', FLAT)
    await write('more.parquet', FLAT.replace('range(200000)', 'range(200000, 200010)'))
    server = await startArchiveServer({ root: join(folder.path, 'served') })
    const flags = { CANDLELAKE_HOME: folder.path }
    config = (await resolveConfig({ flags, environment: {}, dotenv: {}, userHome: folder.path, cores: 2 })).config
  })

  afterEach(async () => {
    for (const query of opened.splice(0)) await query.close()
    server.faults.clear()
    server.requests.length = 0
  })

  after(async () => {
    files.close()
    await server.close()
    await folder.remove()
  })

  const questions = [
    `select count(*) as n from files`,
    `select count(*) as n, max(id) as top from files where name = 'name 7'`,
    `select count(*) as n, min(noise) as least from files where open_time >= '2024-02-01' and open_time < '2024-02-02'`,
    `select name, count(*) as n from files where id in (3, 5, 170000) group by all order by all`,
    `select a.id from files a join files b using (id) where a.open_time = '2024-03-01' and b.name = 'name 0' order by 1`,
  ]
  for (const sql of questions) {
    it(`a file on a web server answers as the same file here: ${sql}`, async () => {
      const here = await ask(local('flat.parquet')).sql(sql).rows()
      const result = ask(remote('flat.parquet')).sql(sql)
      expect(await result.rows()).to.deep.equal(here)
      const cost = await result.cost
      expect(cost).to.deep.include({ files: 1, requests: server.requests.length, path: 'range' })
      expect(cost.bytesRead + cost.bytesSkipped).to.equal((await stat(local('flat.parquet'))).size)
    })
  }

  it('the file has Bloom filters, and they are fetched where a condition may ask them', async () => {
    const counting = `SELECT count(bloom_filter_offset) FROM parquet_metadata('${local('flat.parquet')}')`
    const [[filters]] = (await files.query(counting)) as [[string]]
    expect(Number(filters)).to.be.greaterThan(0)
    const result = ask(remote('flat.parquet')).sql(`select count(*) as n from files where name = 'nobody'`)
    expect(await result.rows()).to.deep.equal([{ n: 0 }])
    expect((await result.cost).bytesSkipped).to.be.greaterThan(1_000_000)
  })

  it('nested columns and names with blanks are read as DuckDB reads them', async () => {
    const sql = `select "the name", sum(nested.a) as a, max(nested.b[1]) as b
      from files where id < 60 group by 1 order by 1 limit 3`
    const rows = await ask(remote('odd.parquet')).sql(sql).rows()
    expect(rows).to.have.length(3)
    expect(rows).to.deep.equal(await ask(local('odd.parquet')).sql(sql).rows())
  })

  it('several files are one table, and one of other columns is named', async () => {
    const both = ask(remote('flat.parquet'), local('more.parquet'))
    const rows = await both.sql('select count(*) as n, max(id) as top from files').rows()
    expect(rows).to.deep.equal([{ n: 200_010, top: 200_009 }])
    const unlike = ask(local('flat.parquet'), local('odd.parquet'))
    const error = await failingWith('SCHEMA_MISMATCH', unlike.sql('select 1 from files').rows())
    expect(error.facts).to.include({ want: 'name VARCHAR', found: 'the name VARCHAR', at: local('odd.parquet') })
  })

  it('times in other units than microseconds are not taken for microseconds', async () => {
    const milliseconds = 'make_timestamp_ms(1704067200000 + i * 60000)::TIMESTAMP_MS'
    await write('ms.parquet', FLAT.replace('make_timestamptz(1704067200000000 + i * 60000000)', milliseconds))
    const sql = `select count(*) as n from files where open_time >= '2024-02-01' and open_time < '2024-02-02'`
    expect(await ask(remote('ms.parquet')).sql(sql).rows()).to.deep.equal([{ n: 1_440 }])
  })

  it('an object in a bucket answers too', async () => {
    const s3 = await acquireS3()
    const link = new S3Link(s3Connection(s3))
    const store = openS3ObjectStore({ url: newPrefix(s3), link })
    const path = local('flat.parquet')
    const sha256Hex = createHash('sha256').update(await readFile(path)).digest('hex')
    await store.put({ key: 'a/flat.parquet', path, sha256Hex })
    const environment = {
      CANDLELAKE_HOME: folder.path, S3_ENDPOINT: s3.endpoint, S3_ACCESS_KEY_ID: s3.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3.secretAccessKey, S3_REGION: s3.region,
    }
    const there = await resolveConfig({ flags: {}, environment, dotenv: {}, userHome: folder.path, cores: 2 })
    const cacheDir = join(folder.path, 'cache-s3')
    const query = openFileQuery([`${store.url}/a/flat.parquet`], there.config, { cacheDir })
    const result = query.sql(questions[1]!)
    expect(await result.rows()).to.deep.equal(await ask(path).sql(questions[1]!).rows())
    expect((await result.cost).bytesSkipped).to.be.greaterThan(1_000_000)
    const absent = openFileQuery([`${store.url}/a/none.parquet`], there.config, { cacheDir })
    await failingWith('OBJECT_ABSENT', absent.sql('select 1 from files').rows())
    await Promise.all([query.close(), absent.close(), link.close()])
  })

  describe('with QUERY_HTTPFS', () => {
    const asking = async (extensionDir: string, ...addresses: string[]): Promise<FileQuery> => {
      const flags = { CANDLELAKE_HOME: folder.path, QUERY_HTTPFS: 'auto', QUERY_EXTENSION_DIR: extensionDir }
      const sources = { flags, environment: {}, dotenv: {}, userHome: folder.path, cores: 2 }
      const auto = (await resolveConfig(sources)).config
      const cacheDir = join(folder.path, `cache-${++caches}`)
      const query = openFileQuery(addresses, auto, { cacheDir, timeoutSeconds: 20 })
      opened.push(query)
      return query
    }

    it('off, the cost says so', async () => {
      const result = ask(remote('flat.parquet')).sql('select max(id) as top from files')
      await result.rows()
      expect(await result.cost).to.include({ path: 'range', reason: 'QUERY_HTTPFS is off' })
    })

    it('where there is none, ranges answer, nothing is downloaded, and the cost says why', async () => {
      const empty = join(folder.path, 'no-extensions')
      const result = (await asking(empty, remote('flat.parquet'))).sql(questions[1]!)
      expect(await result.rows()).to.deep.equal(await ask(local('flat.parquet')).sql(questions[1]!).rows())
      const { path, reason } = await result.cost
      expect([path, reason]).to.deep.equal(['range', reason])
      expect(reason).to.match(/^httpfs: .*Extension .*httpfs.* not found/)
      expect(filesBelow(folder.path).filter((name) => name.includes('extension'))).to.deep.equal([])
    })

    it('a file that is no signed extension of this DuckDB is not loaded', async () => {
      const [[version, platform]] = (await files.query(
        `SELECT (SELECT library_version FROM pragma_version()), (SELECT platform FROM pragma_platform())`,
      )) as [[string, string]]
      const dir = join(folder.path, 'extensions')
      await mkdir(join(dir, version, platform), { recursive: true })
      await writeFile(join(dir, version, platform, 'httpfs.duckdb_extension'), Buffer.alloc(4_096, 7))
      const result = (await asking(dir, remote('flat.parquet'))).sql('select count(*) as n from files where id < 10')
      expect(await result.rows()).to.deep.equal([{ n: 10 }])
      expect((await result.cost).reason).to.match(/^httpfs: ./)
    })

    it('files that it may not have are read by ranges', async () => {
      const withPassword = remote('flat.parquet').replace('//', '//user:word@')
      const result = (await asking(folder.path, withPassword)).sql('select max(id) as top from files')
      expect(await result.rows()).to.deep.equal([{ top: 199_999 }])
      expect((await result.cost).reason).to.equal('passwords stay out of the process that answers')
    })

    const installed = process.env['TEST_DUCKDB_EXTENSIONS']
    if (installed === undefined) {
      console.error('TEST_DUCKDB_EXTENSIONS is not set: httpfs itself is not tried')
      return
    }

    for (const sql of questions) {
      it(`httpfs answers as the same file here: ${sql}`, async () => {
        const result = (await asking(installed, remote('flat.parquet'))).sql(sql)
        expect(await result.rows()).to.deep.equal(await ask(local('flat.parquet')).sql(sql).rows())
        const cost = await result.cost
        expect(cost).to.include({ path: 'httpfs', reason: null, files: 1, requests: server.requests.length })
      })
    }

    it('httpfs lets no hostile text out of the file', async () => {
      const query = await asking(installed, remote('flat.parquet'))
      await refuseAll(query)
      await failingWith('SQL_REFUSED', query.sql(`select * from '${remote('more.parquet')}'`).rows())
      expect(server.requests.filter(({ path }) => !path.endsWith('/flat.parquet'))).to.deep.equal([])
    })
  })

  it('an abort of one question ends no other that waits for the same footers', async () => {
    server.faults.set({ latencyMs: 500 })
    const query = ask(remote('flat.parquet'))
    const abort = new AbortController()
    const sql = 'select max(id) as top from files'
    const given = query.sql(sql, [], { signal: abort.signal }).rows().catch((thrown: unknown) => String(thrown))
    const kept = query.sql(sql).rows()
    setTimeout(() => abort.abort(new Error('enough')), 250)
    expect(await given).to.equal('Error: enough')
    expect(server.requests.length, 'requests answered when it was given up').to.be.at.most(1)
    expect(await kept).to.deep.equal([{ top: 199_999 }])
  })

  it('a local file that was not there yet is found by the next question', async () => {
    const query = ask(local('late.parquet'))
    await failingWith('OBJECT_ABSENT', query.sql('select 1 from files').rows())
    await copyFile(local('flat.parquet'), local('late.parquet'))
    expect(await query.sql('select max(id) as top from files').rows()).to.deep.equal([{ top: 199_999 }])
  })

  it('a file that may not or cannot be opened is not called absent', async () => {
    await symlink(local('loop.parquet'), local('loop.parquet'))
    const failed = await failingWith('STORE_UNREACHABLE', ask(local('loop.parquet')).sql('select 1 from files').rows())
    expect(failed.facts).to.include({ errno: 'ELOOP', at: local('loop.parquet') })
    await copyFile(local('flat.parquet'), local('mine.parquet'))
    await chmod(local('mine.parquet'), 0)
    const isRoot = process.geteuid!() === 0
    // Root may read everything.
    if (isRoot) process.seteuid!(65_534)
    try {
      const denied = await failingWith('STORE_DENIED', readLocalFooter(local('mine.parquet'), 'mine'))
      expect(denied.facts).to.include({ errno: 'EACCES', at: 'mine' })
    } finally {
      if (isRoot) process.seteuid!(0)
    }
  })

  it('what is wrong with a file has a code', async () => {
    await writeFile(local('text.parquet'), 'no Parquet at all, not even close to it')
    await writeFile(local('empty.parquet'), '')
    const wrong: readonly (readonly [code: string, address: string])[] = [
      ['OBJECT_ABSENT', local('none.parquet')],
      ['OBJECT_ABSENT', remote('none.parquet')],
      ['OBJECT_ABSENT', folder.path],
      ['OBJECT_CORRUPT', local('text.parquet')],
      ['OBJECT_CORRUPT', remote('text.parquet')],
      ['OBJECT_CORRUPT', local('empty.parquet')],
      ['STORE_UNREACHABLE', 'http://127.0.0.1:9/x.parquet'],
      ['STORE_UNREACHABLE', 'http://u:pa%zz@127.0.0.1:9/x.parquet'],
    ]
    for (const [code, address] of wrong) {
      await failingWith(code as 'OBJECT_ABSENT', ask(address).sql('select 1 from files').rows())
    }
    for (const address of ['ftp://host/x', 'file://host/x', 'file:///%zz', 's3://bucket', '/data/*.parquet', ''])
      expect(() => ask(address), address).to.throw(PipelineError).with.property('code', 'BAD_USAGE')
  })

  it('a file that is replaced between footer and data is PRECONDITION_FAILED, not a mixture', async () => {
    await copyFile(local('flat.parquet'), local('changing.parquet'))
    const query = ask(remote('changing.parquet'))
    expect(await query.sql('select max(id) as top from files').rows()).to.deep.equal([{ top: 199_999 }])
    await copyFile(local('odd.parquet'), local('changing.parquet'))
    await failingWith('PRECONDITION_FAILED', query.sql('select max(id) as top from files').rows())
    const again = await query.sql('select max(nested.a) as top from files').rows()
    expect(again, 'asked again').to.deep.equal([{ top: 199_999 }])
  })

  it('every hostile text that DuckDB could answer is refused here too, and no file has changed', async () => {
    const hash = async (): Promise<string> =>
      createHash('sha256').update(await readFile(local('flat.parquet'))).digest('hex')
    const before = await hash()
    await refuseAll(ask(remote('flat.parquet')))
    expect(await hash()).to.equal(before)
  })

  async function refuseAll(query: FileQuery): Promise<void> {
    const attempts = HOSTILE.filter(([, , ...codes]) => codes.join() === 'SQL_REFUSED')
    expect(attempts.length).to.be.greaterThan(50)
    const next = attempts[Symbol.iterator]()
    const lane = async (): Promise<void> => {
      for (const [what, text] of next) {
        const sql = text.replaceAll('PLACE', folder.path).replaceAll('LAKE', folder.path)
          .replaceAll('FILE', local('flat.parquet')).replaceAll('spot_klines', 'files')
        await failingWith('SQL_REFUSED', query.sql(sql).rows()).catch((thrown: unknown) => {
          throw new Error(`that ${what}`, { cause: thrown })
        })
      }
    }
    await Promise.all([lane(), lane(), lane(), lane()])
  }
})
