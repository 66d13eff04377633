import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Bench, BenchContext } from './bench.js'
import { figureLine, isMet, type Figure } from './figures.js'
import { machineLines } from './machine.js'

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  convert: async () => (await import('./convert.js')).convert,
  backfill: async () => (await import('./backfill.js')).backfill,
  plan: async () => (await import('./plan.js')).plan,
  remote: async () => (await import('./remote.js')).remote,
  query: async () => (await import('./query.js')).query,
  s3: async () => (await import('./s3.js')).s3,
  hot: async () => (await import('./hot.js')).hot,
  interop: async () => (await import('./interop.js')).interop,
}

const USAGE = `usage: npm run bench -- NAME [--check] [--small] [--rounds N] [--part NAME] [--polars DIR] [--python PATH]
NAME is one of ${Object.keys(BENCHES).join(', ')}; bench/README.md says what they measure.`

const say = (line: string): void => console.log(line)

const { values: flags, positionals: [name = ''] } = parseArgs({
  allowPositionals: true,
  options: {
    check: { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    part: { type: 'string', multiple: true, default: [] },
    polars: { type: 'string' },
    python: { type: 'string', default: 'python3' },
  },
})

const endings: (() => Promise<unknown>)[] = []
let ending: Promise<void> | undefined

/** Ends what the bench started, in reverse order. */
function end(): Promise<void> {
  return (ending ??= (async () => {
    for (let work = endings.pop(); work; work = endings.pop()) {
      await work().catch((thrown: unknown) => console.error('left behind:', thrown))
    }
  })())
}

async function run(load: () => Promise<Bench>): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), `candlelake-bench-${name}-`))
  endings.push(() => rm(dir, { recursive: true, force: true }))
  const figures: Figure[] = []
  const context: BenchContext = {
    dir, say, small: flags.small, parts: flags.part, polars: flags.polars ?? null, python: flags.python,
    rounds: flags.rounds === undefined ? null : Number(flags.rounds),
    figure: (figureName, value, unit, target = null) => {
      figures.push({ name: `${name}.${figureName}`, value, unit, target })
      say(figureLine(figures.at(-1)!))
    },
    atEnd: (work) => endings.push(work),
  }
  for (const line of machineLines()) say(line)
  await (await load())(context)
  const missed = figures.filter((figure) => !isMet(figure))
  if (missed.length > 0) say(`missed: ${missed.map((figure) => figure.name).join(', ')}`)
  return flags.check && missed.length > 0 ? 1 : 0
}

const load = BENCHES[name]
if (!load || (flags.rounds !== undefined && !(Number(flags.rounds) >= 1))) {
  console.error(USAGE)
  process.exit(1)
}
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  process.once(signal, () => void end().finally(() => process.exit(code)))
}
try {
  process.exitCode = await run(load)
} finally {
  await end()
}
// A pool that a failure left open must not keep the bench from ending.
process.exit()
