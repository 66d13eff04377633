import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { errorOf, filesBelow, runCli, temporaryHome, type Home } from '../support/cli.js'

const BACKFILL = ['backfill', '--symbols', 'BTCUSDT', '--intervals', '1h', '--from', '2024-01', '--to', '2024-01']
/** A command line like `BACKFILL`, with one flag's value replaced. */
const asking = (flag: string, value: string): string[] => {
  const words = [...BACKFILL]
  words[words.indexOf(flag) + 1] = value
  return words
}
/** Nobody listens there. */
const NOBODY = '127.0.0.1:9'
const CANARY = 'canary-Pa55word'

describe('acceptance: what is typed and configured', function () {
  this.timeout(120_000)
  let home: Home

  before(async () => {
    home = await temporaryHome({ ARCHIVE_URL: `http://${NOBODY}` })
  })

  after(async () => {
    // Whatever was refused was refused before anything was made.
    const made = filesBelow(home.dir)
    await home.remove()
    expect(made).to.deep.equal([])
  })

  const refused = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ReturnType<typeof errorOf>> => {
    const ended = await runCli([...args, '--json'], { ...home.env, ...env })
    expect(ended.code, ended.stdout + ended.stderr).to.equal(1)
    expect(ended.stdout).to.equal('')
    const error = errorOf(ended)
    expect(error).to.have.keys(['v', 'type', 'code', 'message', 'at', 'do', 'facts'])
    return error
  }

  it('a misspelt interval is refused with the flag and the nearest one', async () => {
    expect(await refused(asking('--intervals', '1hr'))).to.include({ code: 'BAD_INTERVAL', at: '--intervals', do: 'use 1h' })
    const { code, stdout, stderr } = await runCli(asking('--intervals', '1hr'), home.env)
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' })
    expect(stderr).to.equal('error BAD_INTERVAL: "1hr" is not an interval\n  at --intervals  do: use 1h\n')
  })

  const wrong: readonly (readonly [flag: string, value: string, code: string])[] = [
    ['--to', '2024-13', 'BAD_RANGE'], ['--from', '2024-02', 'BAD_RANGE'], ['--from', 'yesterday', 'BAD_RANGE'],
  ]
  for (const [flag, value, code] of wrong) {
    it(`${flag} ${value} is refused with ${code}`, async () => {
      const error = await refused(asking(flag, value))
      expect(error.code).to.equal(code)
      expect(error.at).to.include(flag)
      expect(error.do).to.be.a('string')
    })
  }

  const hostile: readonly (readonly [what: string, symbol: string])[] = [
    ['a way out of the folder', '../../etc'],
    ['an SQL injection', 'BTC\'; DROP'],
    ['an absolute path', '/etc/passwd'],
    ['10 kB', 'A'.repeat(10_240)],
    ['Cyrillic look-alikes', '\u0412\u0422\u0421USDT'],
    ['full-width look-alikes', '\uFF22\uFF34\uFF23USDT'],
    ['a letter that changes with its case', 'BTCU\u017FDT'],
    ['a character of control', 'BTC\u001b[31mUSDT'],
    ['an invisible character', 'BTC\u200BUSDT'],
    ['a line that goes right to left', 'BTC\u202EUSDT'],
    ['percent-encoding', 'BTC%2e%2e%2fUSDT'],
    ['decomposed letters', 'E\u0301USDT'],
    ['no letter at all', '.'],
  ]
  for (const [what, symbol] of hostile) {
    it(`a symbol with ${what} is refused`, async () => {
      const error = await refused(asking('--symbols', symbol))
      expect(error).to.include({ code: 'BAD_SYMBOL', at: '--symbols' })
      expect(error.message.length).to.be.below(400)
      if (!/[\p{Cc}\p{Cf}]/u.test(symbol)) return
      const words = await runCli(asking('--symbols', symbol), home.env)
      expect(words.stderr).to.match(/^error BAD_SYMBOL/).and.to.not.match(/[\u0000-\u0009\u000b-\u001f\u200b\u202e]/)
    })
  }

  it('a hostile symbol is refused from stdin, from a glob of partitions and from a quarantined name as well', async () => {
    const ended = await runCli([...asking('--symbols', '-'), '--json'], home.env, { stdin: 'BTCUSDT\n../../etc\n' })
    expect(ended.code).to.equal(1)
    expect(errorOf(ended)).to.include({ code: 'BAD_SYMBOL', at: '--symbols' })
    expect((await refused(['verify', 'spot-klines/../1h/2024-01'])).code).to.be.oneOf(['BAD_PARTITION', 'BAD_SYMBOL'])
    expect((await refused(['quarantine', 'retry', 'spot-klines/BTC\'; DROP/1h/2024-01'])).code).to.equal('BAD_SYMBOL')
  })

  it('a typo gets the nearest word, for a command and for a flag', async () => {
    expect(await refused(['bakfill'])).to.include({ code: 'BAD_USAGE', do: 'use backfill' })
    expect(await refused([...BACKFILL, '--dryrun'])).to.include({ code: 'BAD_USAGE', do: 'use --dry-run' })
    expect(await refused(['worker', '--stages', 'downlod'])).to.include({ code: 'BAD_USAGE', at: '--stages', do: 'use download' })
    expect(await refused(['quarantine', 'lst'])).to.include({ code: 'BAD_USAGE', do: 'use list' })
  })

  it('every wrong setting is named, and no value', async () => {
    const given = {
      DATABASE_URL: `mysql://lake:${CANARY}@db/lake`, QUEUE_URL: `amqp://${CANARY}@cache`, ARCHIVE_URL: 'not a url at all',
      LATE_DAYS: 'forty-two', NUMERIC_TYPE: 'float', STAGING_MAX_BYTES: '4 gigs', CANDLELAKE_HOME: 'relative/home',
    }
    const error = await refused(['status'], given)
    expect(error.code).to.equal('BAD_CONFIG')
    for (const [name, value] of Object.entries(given)) {
      expect(error.message).to.include(name)
      expect(JSON.stringify(error)).to.not.include(value)
    }
    expect(JSON.stringify(error)).to.not.include(CANARY)
  })

  it('a password on the command line is refused and not repeated', async () => {
    const ended = await runCli(['status', '--json', '--database-url', `postgres://lake:${CANARY}@${NOBODY}/lake`], home.env)
    expect(ended.code).to.equal(1)
    expect(errorOf(ended).message).to.include('DATABASE_URL')
    expect(ended.stdout + ended.stderr).to.not.include(CANARY)
  })

  it('a database or a queue that is down is named without its password, and with what to do', async () => {
    const env = { DATABASE_URL: `postgres://lake:${CANARY}@${NOBODY}/lake`, QUEUE_URL: `redis://:${CANARY}@${NOBODY}` }
    for (const verbose of [[], ['-v']]) {
      const ended = await runCli(['status', ...verbose], { ...home.env, ...env })
      expect(ended.code).to.equal(1)
      expect(ended.stderr).to.match(/error CATALOG_UNREACHABLE: .*\n +at \S*127\.0\.0\.1:9\S* +do: /)
      expect(ended.stdout + ended.stderr).to.not.include(CANARY)
    }
    const doctor = await runCli(['doctor', '-v'], { ...home.env, ...env })
    expect(doctor.code).to.equal(1)
    expect(doctor.stdout).to.match(/^fail +catalog /m).and.to.match(/^fail +queue .*127\.0\.0\.1:9.*: \w+/m)
    expect(doctor.stdout).to.match(/^DATABASE_URL +.*environment$/m)
    expect(doctor.stdout + doctor.stderr).to.not.include(CANARY)
    for (const name of filesBelow(home.dir)) expect(readFileSync(`${home.dir}/${name}`, 'latin1')).to.not.include(CANARY)
  })

  it('a server that others can reach needs credentials', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1']) {
      const error = await refused(['server', '--host', host, '--port', '0'])
      expect(error.code, host).to.equal('UNSAFE_BIND')
      expect(error.do).to.include('SERVER_PASSWORD')
    }
  })

  const commands = [
    'demo', 'backfill', 'worker', 'workers', 'status', 'cancel', 'verify', 'query', 'export', 'reconcile', 'gc', 'catalog rebuild', 'quarantine list',
    'quarantine retry', 'lake moved', 'server', 'doctor',
  ]
  it('every command has help with a sentence, an example, --json and its exit codes', async () => {
    const all = await runCli(['--help'], home.env)
    expect(all.code).to.equal(0)
    for (const command of commands) {
      expect(all.stdout).to.include(`  ${command.split(' ')[0] ?? ''}`)
      const { code, stdout, stderr } = await runCli([...command.split(' '), '--help'], home.env)
      expect({ code, stderr }, command).to.deep.equal({ code: 0, stderr: '' })
      expect(stdout, command).to.match(/^[A-Z].*\.\n/)
      expect(stdout, command).to.include(`  $ candlelake ${command}`)
      expect(stdout, command).to.include('--json').and.to.match(/Exit codes\n +\d/)
    }
  })
})
