import { expect } from 'chai'
import { resolveConfig, type ConfigSources } from '../../../src/config.js'
import { PipelineError } from '../../../src/domain/errors.js'

const sources = (over: Partial<ConfigSources> = {}): ConfigSources =>
  ({ flags: {}, environment: {}, dotenv: {}, userHome: '/home/ann', cores: 6, ...over })

async function problemsOf(over: Partial<ConfigSources>): Promise<string> {
  const thrown = await resolveConfig(sources(over)).then(() => null, (error: unknown) => error)
  expect(thrown).to.be.instanceOf(PipelineError)
  expect((thrown as PipelineError).code).to.equal('BAD_CONFIG')
  return (thrown as PipelineError).message
}

describe('configuration', () => {
  it('has a default for everything', async () => {
    const { config, origins } = await resolveConfig(sources())
    expect(config.candlelakeHome).to.equal('/home/ann/.local/share/candlelake')
    expect(config.candlelakeCache).to.equal('/home/ann/.cache/candlelake')
    expect(config.lakeUrl).to.equal('file:///home/ann/.local/share/candlelake/lake')
    expect(config.stagingUrl).to.equal('file:///home/ann/.local/share/candlelake/staging')
    expect(config.databaseUrl).to.equal(null)
    expect(config.stagingMaxBytes).to.equal(4 * 1024 ** 3)
    expect([config.engineSlots, config.convertConcurrency, config.verifyConcurrency]).to.deep.equal([6, 12, 12])
    expect(config.candlelakeFailpoints).to.deep.equal([])
    expect(Object.values(config)).to.not.include(undefined)
    expect(new Set(Object.values(origins))).to.deep.equal(new Set(['default']))
  })

  it('takes a flag before the environment, the environment before .env, and says which it was', async () => {
    const { config, origins } = await resolveConfig(sources({
      flags: { LATE_DAYS: '1' },
      environment: { LATE_DAYS: '2', KEEP_REVISIONS: '2' },
      dotenv: { LATE_DAYS: '3', KEEP_REVISIONS: '3', SERVER_PORT: '8080' },
    }))
    expect([config.lateDays, config.keepRevisions, config.serverPort]).to.deep.equal([1, 2, 8080])
    expect([origins.LATE_DAYS, origins.KEEP_REVISIONS, origins.SERVER_PORT]).to.deep.equal([
      'flag',
      'environment',
      '.env',
    ])
  })

  it('takes an empty value for none', async () => {
    const { config, origins } = await resolveConfig(sources({ environment: { LATE_DAYS: '', QUEUE_URL: '' } }))
    expect([config.lateDays, config.queueUrl, origins.LATE_DAYS]).to.deep.equal([45, null, 'default'])
  })

  it('refuses a transaction pooler and says what to use, without showing the address', async () => {
    const pooler = 'postgres://postgres.ref:hush@aws-0-eu-central-1.pooler.supabase.com'
    const direct = 'postgres://u:hush@db.ref.supabase.co'
    const words = ['true', '1', 'TRUE', 'false&pgbouncer=true']
    const marked = words.map((word) => `postgres://u:hush@db/x?pgbouncer=${word}`)
    const inQuery = [`${pooler}/x?port=6543`, `postgres://u:hush@db/x?host=db.ref.supabase.co&port=6543`]
    const spelled = ['postgres://u:hush@DB.REF.SUPABASE.CO:6543/x', `${direct}.:6543/x`]
    const addresses = [`${pooler}:6543/postgres`, `${direct}:6543/postgres`, ...marked, ...inQuery, ...spelled]
    for (const address of addresses) {
      for (const name of ['DATABASE_URL', 'QUEUE_URL']) {
        const problems = await problemsOf({ environment: { [name]: address } })
        expect(problems).to.include(name).and.include('session pooler (port 5432)').and.not.include('hush')
      }
    }
    const others = [`${pooler}:6543/x?port=5432`, `${direct}/x?pgbouncer=false`, 'postgres://u@db/x?port=6543']
    for (const address of [`${pooler}:5432/postgres`, 'postgres://u@db:6543/x', `${direct}:5432/postgres`, ...others]) {
      const { config } = await resolveConfig(sources({ environment: { DATABASE_URL: address } }))
      expect(config.databaseUrl).to.equal(address)
    }
  })

  it('keeps data and cache where XDG says', async () => {
    const { config } = await resolveConfig(
      sources({ environment: { XDG_DATA_HOME: '/data', XDG_CACHE_HOME: '/cache' } }),
    )
    expect([config.candlelakeHome, config.candlelakeCache]).to.deep.equal(['/data/candlelake', '/cache/candlelake'])
  })

  it('lists the archive in its bucket, and any other server at its root', async () => {
    const { config: real } = await resolveConfig(sources())
    expect(real.archiveListUrl).to.equal('https://s3-ap-northeast-1.amazonaws.com/data.binance.vision')
    const { config: local } = await resolveConfig(sources({ environment: { ARCHIVE_URL: 'http://127.0.0.1:8999/' } }))
    expect([local.archiveUrl, local.archiveListUrl]).to.deep.equal(['http://127.0.0.1:8999', 'http://127.0.0.1:8999'])
    const both = { ARCHIVE_URL: 'http://127.0.0.1:8999', ARCHIVE_LIST_URL: 'http://127.0.0.1:9000/bucket' }
    const { config: apart } = await resolveConfig(sources({ environment: both }))
    expect(apart.archiveListUrl).to.equal('http://127.0.0.1:9000/bucket')
  })

  for (const [text, bytes] of [
    ['1024', 1024],
    ['512MiB', 512 * 1024 ** 2],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['2 TiB', 2 * 1024 ** 4],
  ] as const) {
    it(`reads ${text} as ${bytes} bytes`, async () => {
      const { config } = await resolveConfig(sources({ environment: { STAGING_MAX_BYTES: text } }))
      expect(config.stagingMaxBytes).to.equal(bytes)
    })
  }

  it('reads proxies in lower case too', async () => {
    const { config } = await resolveConfig(sources({ environment: { https_proxy: 'http://proxy:3128' } }))
    expect(config.httpsProxy).to.equal('http://proxy:3128')
  })

  it('reports every problem at once, by name and never by value', async () => {
    const canary = 'hunter2-canary'
    const message = await problemsOf({
      flags: { PARQUET_LEVEL: canary },
      environment: {
        LATE_DAYS: canary, STAGING_MAX_BYTES: canary, NUMERIC_TYPE: canary, LAKE_URL: canary, CANDLELAKE_HOME: canary,
        JOB_LOCK_SECONDS: canary, CANDLELAKE_FAILPOINTS: canary, SERVER_PASSWORD: canary, DATABASE_URL: canary,
      },
    })
    expect(message).to.not.include(canary)
    for (const name of [
      '--parquet-level', 'LATE_DAYS', 'STAGING_MAX_BYTES', 'NUMERIC_TYPE', 'LAKE_URL', 'CANDLELAKE_HOME',
      'JOB_LOCK_SECONDS', 'CANDLELAKE_FAILPOINTS', 'SERVER_USER', 'DATABASE_URL',
    ]) expect(message).to.include(name)
  })

  for (const [name, text] of [
    ['STAGING_MAX_BYTES', '4GB'],
    ['STAGING_MAX_BYTES', '-1'],
    ['STAGING_MAX_BYTES', '1.5'],
    ['LATE_DAYS', '1e3'],
    ['LATE_DAYS', '0x10'],
    ['LATE_DAYS', ' 4'],
    ['SERVER_PORT', '65536'],
    ['ENGINE_SLOTS', '0'],
    ['LEASE_SECONDS', 'Infinity'],
    ['ARCHIVE_URL', 'ftp://host'],
    ['QUEUE_URL', 'cache:6379'],
    ['LAKE_URL', 's3://'],
    ['LAKE_URL', 's3:///prefix'],
    ['STAGING_URL', 's3:bucket/prefix'],
    ['LAKE_URL', 's3://Bucket/prefix'],
    ['STAGING_URL', 's3://bucket/prefix?region=auto'],
    ['LAKE_URL', 's3://bucket/a//b'],
    ['LAKE_URL', 's3://bucket/../b'],
    ['LAKE_URL', 's3://key:secret@bucket/prefix'],
    ['NUMERIC_TYPE', 'DOUBLE'],
    ['CANDLELAKE_FAILPOINTS', 'convert.nowhere:kill'],
    ['CANDLELAKE_FAILPOINTS', 'convert.staged:explode'],
  ] as const) {
    it(`refuses ${name}=${text}`, async () => {
      expect(await problemsOf({ environment: { [name]: text } })).to.match(new RegExp(`^${name} must be `))
    })
  }

  it('takes buckets with and without a prefix', async () => {
    const environment = { LAKE_URL: 's3://my-bucket.example/some/lake/', STAGING_URL: 's3://bucket2/' }
    const { config } = await resolveConfig(sources({ environment }))
    expect(config).to.include({ lakeUrl: 's3://my-bucket.example/some/lake', stagingUrl: 's3://bucket2' })
  })

  it('arms failpoints for tests, and refuses them in production', async () => {
    const armed = { CANDLELAKE_FAILPOINTS: 'convert.staged:kill, verify.locked:stop@spot-klines/BTCUSDT/1h/2024-01' }
    const { config } = await resolveConfig(sources({ environment: armed }))
    expect(config.candlelakeFailpoints).to.deep.equal([
      { point: 'convert.staged', action: 'kill' }, { point: 'verify.locked', action: 'stop', partition: 'spot-klines/BTCUSDT/1h/2024-01' },
    ])
    const message = await problemsOf({ environment: { ...armed, ENGINE_CRASH_ON: 'x', NODE_ENV: 'production' } })
    expect(message).to.include('CANDLELAKE_FAILPOINTS').and.include('ENGINE_CRASH_ON')
  })

  it('takes no password from the command line, where everyone can read it', async () => {
    const message = await problemsOf({
      flags: { DATABASE_URL: 'postgres://lake:s3cret@db/lake', SERVER_PASSWORD: 'x' },
    })
    expect(message).to.include('--database-url').and.include('--server-password').and.not.include('s3cret')
    const { config } = await resolveConfig(sources({ flags: { DATABASE_URL: 'postgres://lake@db/lake' } }))
    expect(config.databaseUrl).to.equal('postgres://lake@db/lake')
  })
})
