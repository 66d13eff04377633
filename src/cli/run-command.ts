import { loadConfig, isolatedConfig, terminalEnvironment, type LoadedConfig } from '../config.js'
import { PipelineError } from '../domain/errors.js'
import type { Log } from '../domain/ports/observe.js'
import type { App } from './app.js'
import type { CommandSpec, Context, FlagValues } from './command.js'
import { textFlag } from './command.js'
import { listenForInterrupts, type Interrupts } from './interrupts.js'
import { openOutput, type Output, type OutputFlags } from './output.js'
import { settingFlags } from './program.js'

const DRAINING = 'Finishing what is in hand, Ctrl-C again to stop at once'
/** A service that hangs may not keep a command that has ended. */
const CLOSE_MS = 10_000

/** Runs a command from its flags to its exit code: nothing is thrown, every error is said. */
export async function runCommand(spec: CommandSpec, flags: FlagValues, argument: string | undefined): Promise<number> {
  const apps: App[] = []
  let out = openQuietly()
  let interrupts: Interrupts | null = null
  try {
    out = outputOf(outputFlags(flags, spec), () => endReader(spec))
    interrupts = listenForInterrupts({
      source: process,
      onFirst: () => (spec.works ? out.note(DRAINING) : undefined),
      exit: (code) => process.exit(code),
    })
    const context = await contextOf(spec, flags, out, interrupts, apps)
    const code = await orInterrupted(spec, spec.run(context, flags, argument), interrupts)
    return code
  } catch (thrown) {
    if (interrupts?.ending) return interrupts.ending.code
    out.error(thrown)
    return 1
  } finally {
    await closeAll(apps)
    interrupts?.stop()
    out.close()
    leaveSoon()
  }
}

/** The output for an error that came before the flags were read: only what the words themselves say. */
export function errorOutput(argv: readonly string[]): Output {
  const has = (...names: string[]): boolean => names.some((name) => argv.includes(name))
  return outputOf({
    json: has('--json'), quiet: false, verbose: has('-v', '--verbose'), color: 'auto', progress: 'auto', file: null,
  }, () => undefined)
}

const openQuietly = (): Output => errorOutput([])

function outputOf(flags: OutputFlags, onBrokenPipe: () => void): Output {
  return openOutput({
    flags,
    stdout: process.stdout,
    stderr: process.stderr,
    surroundings: terminalEnvironment(),
    onBrokenPipe,
  })
}

function outputFlags(flags: FlagValues, spec: CommandSpec): OutputFlags {
  return {
    json: flags['json'] === true, quiet: flags['quiet'] === true, verbose: flags['verbose'] === true,
    color: choice(flags, 'color', ['auto', 'always', 'never']),
    progress: choice(flags, 'progress', ['auto', 'tty', 'plain', 'none']),
    file: spec.writesFile ? null : (textFlag(flags, 'output') ?? null),
  }
}

function choice<const T extends string>(flags: FlagValues, name: string, options: readonly [T, ...T[]]): T {
  const text = textFlag(flags, name)
  const found = text === undefined ? options[0] : options.find((option) => option === text)
  if (found !== undefined) return found
  throw new PipelineError('BAD_USAGE', `--${name} has another choice of values`, {
    at: `--${name}`, do: `use one of ${options.join(', ')}`,
  })
}

async function contextOf(
  spec: CommandSpec, flags: FlagValues, out: Output, interrupts: Interrupts, apps: App[],
): Promise<Context> {
  const loaded = await loadConfig(settingFlags(flags))
  return {
    out, loaded, interrupts,
    openApp: async (o = {}) => {
      const { config } = o.isolated ? await isolatedConfig(o.isolated) : loaded
      const { openApp } = await import('../compose.js')
      const log = await logOf(spec, out, loaded)
      const app = openApp({ config, log, observe: o.observe ?? (() => undefined) })
      apps.push(app)
      return app
    },
  }
}

/** Workers and the server log; other commands with `-v` only, and not across their bars. */
async function logOf(spec: CommandSpec, out: Output, { config }: LoadedConfig): Promise<Log> {
  const { openLog, SILENT } = await import('../observability/log.js')
  if (spec.logs) return openLog({ level: config.logLevel })
  return out.verbose ? openLog({ level: config.logLevel, write: (line) => out.note(line.trimEnd()) }) : SILENT
}

/** A command that only reads ends with the signal; one that works ends by itself, having seen it. */
async function orInterrupted(spec: CommandSpec, work: Promise<number>, interrupts: Interrupts): Promise<number> {
  if (spec.works) return await work
  const interrupted = new Promise<number>((resolve) => {
    interrupts.signal.addEventListener('abort', () => resolve(interrupts.ending?.code ?? 1), { once: true })
  })
  work.catch(() => undefined)
  return await Promise.race([work, interrupted])
}

/** Whoever read the result has enough of it. */
function endReader(spec: CommandSpec): void {
  if (!spec.works) process.exit(0)
}

async function closeAll(apps: readonly App[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS)
  })
  await Promise.race([Promise.allSettled(apps.map((app) => app.close())), limit])
  clearTimeout(timer)
}

/** Ends the process although something was left open; what stdout still holds is written before. */
function leaveSoon(): void {
  setTimeout(() => process.exit(), 2_000).unref()
}
