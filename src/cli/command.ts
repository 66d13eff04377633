import type { LoadedConfig } from '../config.js'
import type { Observe } from '../domain/ports/observe.js'
import type { App } from './app.js'
import type { Interrupts } from './interrupts.js'
import type { Output } from './output.js'

/** A flag as commander reads it: `--to <when>`. `list` may be repeated. */
export type FlagSpec = {
  readonly flag: string
  readonly help: string
  readonly fallback?: string
  readonly list?: true
}

/** What the flags of one command line came to, by commander's names. */
export type FlagValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>

/** What every command works with. */
export type Context = {
  readonly out: Output
  readonly loaded: LoadedConfig
  readonly interrupts: Interrupts
  /** Opens the application; closed when the command ends. With `isolated` it knows these settings and no others. */
  openApp(o?: { readonly observe?: Observe; readonly isolated?: Readonly<Record<string, string>> }): Promise<App>
}

/** A command: its words, and how it is run. What `run` resolves to is the exit code. */
export type CommandSpec = {
  readonly name: string
  /** `<run>`, `[partitions]`, `<words...>` (given on with a space between): as commander reads it. */
  readonly argument?: { readonly form: string; readonly help: string }
  readonly sentence: string
  readonly example: string
  readonly flags: readonly FlagSpec[]
  readonly exits: readonly (readonly [code: number, when: string])[]
  /** Works rather than reads: Ctrl-C lets it finish what is in hand, and a closed stdout does not end it. */
  readonly works?: true
  /** Writes the file of `-o` itself, whole or not at all; everything else goes to the streams. */
  readonly writesFile?: true
  /** Writes log lines to stderr, without `-v` too. */
  readonly logs?: true
  readonly run: (context: Context, flags: FlagValues, argument: string | undefined) => Promise<number>
}

/** Commands under a noun: `quarantine list`. */
export type CommandGroup = {
  readonly name: string
  readonly sentence: string
  readonly commands: readonly CommandSpec[]
}

/** The exit codes that all commands share. */
export const EXIT_OK = [0, 'done'] as const
export const EXIT_ERROR = [1, 'usage, configuration, or a service is down'] as const
export const EXIT_INTERRUPTED = [130, 'interrupted; 143 terminated'] as const

export const DRY_RUN: FlagSpec = { flag: '-n, --dry-run', help: 'say what would be done, change nothing' }

export const YES: FlagSpec = { flag: '-y, --yes', help: 'delete without asking' }

/** A flag's text, or undefined. */
export function textFlag(flags: FlagValues, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

/** The words of a flag that is a list: commas or repeated. */
export function listFlag(flags: FlagValues, name: string): readonly string[] {
  const value = flags[name]
  const given = typeof value === 'string' ? [value] : Array.isArray(value) ? (value as readonly string[]) : []
  return given.flatMap((one) => one.split(',')).map((word) => word.trim()).filter((word) => word !== '')
}
