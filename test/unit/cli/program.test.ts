import { expect } from 'chai'
import { CommanderError } from 'commander'
import type { CommandGroup, CommandSpec, FlagValues } from '../../../src/cli/command.js'
import { COMMANDS } from '../../../src/cli/commands.js'
import { buildProgram, settingFlags, usageError } from '../../../src/cli/program.js'

type Acted = { name: string; flags: FlagValues; argument: string | undefined }

async function parse(...argv: string[]) {
  const acted: Acted[] = []
  let said = ''
  const program = buildProgram({
    entries: COMMANDS, version: '1.2.3', say: (text) => (said += text),
    act: (spec, flags, argument) => {
      acted.push({ name: spec.name, flags, argument })
      return Promise.resolve()
    },
  })
  const thrown: unknown = await program.parseAsync(argv, { from: 'user' }).then(() => null, (error: unknown) => error)
  const usage = thrown instanceof CommanderError && thrown.exitCode !== 0 ? usageError(thrown, program, argv) : null
  return { acted: acted[0], said, usage }
}

const specs = COMMANDS.flatMap((entry: CommandSpec | CommandGroup): [string, CommandSpec][] =>
  'commands' in entry ? entry.commands.map((spec) => [`${entry.name} ${spec.name}`, spec]) : [[entry.name, entry]])

describe('the command line', () => {
  it('knows every command', () => {
    expect(specs.map(([path]) => path)).to.deep.equal([
      'demo',
      'backfill',
      'worker',
      'workers',
      'status',
      'cancel',
      'verify',
      'query',
      'export',
      'hot stats',
      'hot load',
      'hot prune',
      'hot reports',
      'migrate',
      'sync',
      'tail',
      'schedule add',
      'schedule list',
      'schedule remove',
      'schedule run',
      'reconcile',
      'gc',
      'catalog rebuild',
      'quarantine list',
      'quarantine retry',
      'lake moved',
      'server',
      'doctor',
      'completion',
    ])
  })

  for (const [path, spec] of specs) {
    it(`explains ${path}: sentence, example, usage, flags, exit codes`, async () => {
      const { said } = await parse(...path.split(' '), '--help')
      expect(said.startsWith(`${spec.sentence}\n\n  $ `)).to.equal(true)
      expect(spec.example).to.include(`candlelake ${path}`)
      expect(said)
        .to.include(`Usage: candlelake ${path}`)
        .and.include('--json')
        .and.include('Exit codes')
        .and.include('    1  ')
      for (const { flag } of spec.flags) expect(said).to.include(flag)
      expect(said.split('\n').filter((line) => line.length > 120)).to.deep.equal([])
    })
  }

  it('gives flags to the command, defaults and lists among them', async () => {
    const { acted } = await parse(
      'backfill',
      '--symbols',
      'A,B',
      '--symbols',
      'C',
      '--intervals=1h',
      '-n',
      '--json',
      '--lake-url',
      'file:///x',
    )
    expect(acted?.name).to.equal('backfill')
    expect(acted?.flags).to.include({ market: 'spot', dryRun: true, json: true, color: 'auto' })
    expect(acted?.flags['symbols']).to.deep.equal(['A,B', 'C'])
    expect(settingFlags(acted?.flags ?? {})).to.deep.equal({ LAKE_URL: 'file:///x' })
  })

  it('gives arguments to the command, and takes a symbol list of - for stdin', async () => {
    expect((await parse('cancel', '7f3k2')).acted).to.include({ name: 'cancel', argument: '7f3k2' })
    expect((await parse('verify')).acted).to.include({ name: 'verify', argument: undefined })
    expect((await parse('quarantine', 'retry', 'um-klines/*')).acted).to.include({
      name: 'retry',
      argument: 'um-klines/*',
    })
    expect((await parse('backfill', '--symbols', '-')).acted?.flags['symbols']).to.deep.equal(['-'])
  })

  it('prints its version', async () => {
    expect((await parse('--version')).said).to.equal('1.2.3\n')
  })

  for (const [argv, message, hint] of [
    ['bakcfill', 'unknown command "bakcfill"', 'use backfill'],
    ['quarantine lsit', 'unknown command "lsit"', 'use list'],
    ['backfill --symbls x', 'unknown option "--symbls"', 'use --symbols'],
    ['backfill --lake-ulr x', 'unknown option "--lake-ulr"', 'use --lake-url'],
    ['backfill --zzzzz', 'unknown option "--zzzzz"', 'see candlelake backfill --help'],
    ['cancel', 'missing required argument "run"', 'see candlelake cancel --help'],
    ['backfill --from', 'option "--from <time>" argument missing', 'see candlelake backfill --help'],
  ] as const) {
    it(`answers "${argv}" with what to do`, async () => {
      const { usage, acted } = await parse(...argv.split(' '))
      expect([usage?.code, usage?.message, usage?.do, acted]).to.deep.equal(['BAD_USAGE', message, hint, undefined])
    })
  }
})
